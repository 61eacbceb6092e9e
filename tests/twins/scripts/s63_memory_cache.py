"""4: joblib's cache finds what it has kept before, with estimators as arguments too."""

import joblib
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

memory = joblib.Memory("cache", verbose=0)
X, y = load_iris(return_X_y=True)


@memory.cache
def trained(model, X, y):
    print("training")
    return model.fit(X, y)


for _ in range(2):
    print(trained(LogisticRegression(max_iter=300), X, y).coef_.round(3).tolist())
fitted = LogisticRegression(max_iter=300).fit(X, y)


@memory.cache
def scored(model, X, y):
    print("scoring")
    return model.score(X, y)


print(scored(fitted, X, y), scored(fitted, X, y))
pipe = make_pipeline(PCA(2), LogisticRegression(), memory=memory)
print([pipe.set_params(logisticregression__C=c).fit(X, y).score(X, y) for c in (0.1, 1.0)])
import shutil

shutil.rmtree("cache")
