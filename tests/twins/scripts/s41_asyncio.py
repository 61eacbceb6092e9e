"""37: fits in asyncio tasks and their threads."""

import asyncio

from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

X, y = load_iris(return_X_y=True)


async def here(depth):
    await asyncio.sleep(0)
    model = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(X, y)
    await asyncio.sleep(0)
    return model.score(X, y)


async def main():
    print(await asyncio.gather(*(here(depth) for depth in range(1, 5))))
    there = DecisionTreeClassifier(max_depth=2, random_state=0).fit
    print((await asyncio.to_thread(there, X, y)).get_depth())


asyncio.run(main())
