"""31: classes with slots, __getattr__, odd equality, truth, hash, repr, and a property that is called fit."""

from sklearn.base import BaseEstimator


class Slots(BaseEstimator):
    __slots__ = ("value",)

    def fit(self, X, y=None):
        self.value = 1
        return self


class Magic(BaseEstimator):
    def __getattr__(self, name):
        if name.startswith("_") or name in ("transform", "predict_proba"):
            raise AttributeError(name)
        print("asked for", name)
        return 1

    def fit(self, X, y=None):
        return self


class Odd(BaseEstimator):
    __hash__ = None

    def __eq__(self, other):
        raise RuntimeError("compared")

    def __bool__(self):
        raise RuntimeError("asked for truth")

    def __repr__(self):
        raise RuntimeError("shown")

    def __len__(self):
        raise RuntimeError("measured")

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return [0] * len(X)


class Property(BaseEstimator):
    @property
    def fit(self):
        print("property read")
        return lambda X, y=None: self


class Bare:
    def fit(self, X, y=None):
        return self

    predict = fit


X = [[0.0], [1.0]]
for cls in (Slots, Magic, Odd, Property, Bare):
    model = cls()
    print(cls.__name__, model.fit(X) is model)
print(Odd().fit(X).predict(X))
