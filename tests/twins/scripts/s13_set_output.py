"""13: set_output and the global configuration."""

import sklearn
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_iris(return_X_y=True, as_frame=True)
before = sklearn.get_config()
pca = PCA(2).set_output(transform="pandas")
print(type(pca.fit_transform(X)).__name__, list(pca.transform(X).columns))
pipe = make_pipeline(
    make_column_transformer((StandardScaler(), X.columns[:2]), remainder="passthrough"),
    LogisticRegression(max_iter=300),
)
pipe.set_output(transform="pandas").fit(X, y)
print(list(pipe[:-1].get_feature_names_out()), pipe[-1].feature_names_in_)
with sklearn.config_context(transform_output="pandas", assume_finite=True):
    print(type(StandardScaler().fit_transform(X)).__name__, sklearn.get_config()["assume_finite"])
    LogisticRegression(max_iter=300).fit(X, y)
print(sklearn.get_config() == before)
