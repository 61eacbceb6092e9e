"""4: pickles of fitted estimators are equal to the byte."""

import hashlib
import pickle

from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_iris(return_X_y=True)
for model in (
    LogisticRegression(max_iter=300),
    KMeans(3, n_init=1, random_state=0),
    make_pipeline(StandardScaler(), LogisticRegression()),
):
    data = pickle.dumps(model.fit(X, y))
    print(type(model).__name__, len(data), hashlib.sha256(data).hexdigest())
    with open(f"{type(model).__name__}.pkl", "wb") as file:
        file.write(data)
