"""26: subclasses that call super().fit, partial_fit inside fit, fit_transform by way of fit."""

from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import SGDClassifier

X, y = load_iris(return_X_y=True)


class One(SGDClassifier):
    def fit(self, X, y, **more):
        print("one")
        return super().fit(X, y, **more)


class Two(One):
    def fit(self, X, y, **more):
        print("two")
        return super().fit(X, y, **more)


class Stepwise(SGDClassifier):
    def fit(self, X, y):
        for _ in range(3):
            self.partial_fit(X, y, classes=[0, 1, 2])
        return self


class Own(PCA):
    def fit(self, X, y=None):
        print("own pca")
        return super().fit(X)


print(Two(random_state=0).fit(X, y).coef_.sum().round(6), Stepwise(random_state=0).fit(X, y).t_)
print(Own(2).fit_transform(X).sum().round(6) == 0, Own(2).fit(X).n_components_)
