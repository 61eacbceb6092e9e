"""The law over all of scikit-learn's estimators: describing a fit leaves no trace."""

import contextlib
import inspect
import io
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators

from fitbook.autolog.sklearn import _describe, _plots

X, y = make_classification(60, 6, n_informative=4, n_classes=3, random_state=0)
CASES = [
    (X, y),
    (np.abs(X), y),
    (X, np.column_stack([y, y])),
    (X[:, 0], y),
    ((X > 0).astype(int), y),
    (["a b", "b c", "c d"] * 20, y),
    (X, None),
]
# Estimators that wrap others have no default for them.
WRAPPED = {
    "estimator": LogisticRegression(max_iter=500),
    "base_estimator": LogisticRegression(max_iter=500),
    "estimators": [("a", LogisticRegression(max_iter=500)), ("b", LogisticRegression(C=0.5, max_iter=500))],
    "transformers": [("a", StandardScaler(), [0, 1])],
    "transformer_list": [("a", StandardScaler())],
    "dictionary": np.eye(6),
    "steps": [("a", StandardScaler()), ("b", LogisticRegression())],
    "param_grid": {"C": [0.5, 1.0]},
    "param_distributions": {"C": [0.5, 1.0]},
}


def fitted(cls):
    """An instance, and the data that it could be fitted on."""
    required = _required(cls)
    if cls.__name__ == "SelfTrainingClassifier":  # its default, None, is refused
        required.append("estimator" if "estimator" in inspect.signature(cls).parameters else "base_estimator")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated classes
        model = cls(**{name: WRAPPED[name] for name in required if name in WRAPPED})
    cheap = {"n_iter": 2, "max_iter": 20, "n_estimators": 3, "n_components": 2, "cv": 2, "n_splits": 2}
    model.set_params(**{k: v for k, v in cheap.items() if k in model.get_params(deep=False)})
    for data, target in CASES:
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(data, target), data, target
    return model, None, None


def _required(cls):
    parameters = inspect.signature(cls).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize("cls", [cls for _, cls in all_estimators()], ids=lambda cls: cls.__name__)
def test_describing_leaves_no_trace(cls):
    model, data, target = fitted(cls)
    before, state = pickle.dumps(model), pickle.dumps(np.random.get_state())
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):  # warnings are errors
        params = _describe.params(model)
        report = _describe.training_report(model, data, target, fit_seconds=1.0, budget_ms=40.0)
        importances = _describe.importances(model)
        page = _describe.html(model)
        found = _describe.fingerprint(data, target)
        pictures = [draw() for draw in _plots.pictures(report, importances).values()]
    assert pickle.dumps(model) == before
    assert pickle.dumps(np.random.get_state()) == state
    assert out.getvalue() == ""
    assert not any(" at 0x" in value for value in params.values())
    assert "can't be drawn" not in page
    assert not [note for note in report.notes if "Error" in note]
    assert data is None or found.digest != "unknown"
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    kind = _describe.tags(model)["fitbook.estimator_type"]
    assert report.kind == kind
    known = "skipped; predicting" not in " ".join(report.notes)
    if data is not None and kind == "regressor" and known:
        assert "training_r2_score" in report.metrics


class Own(BaseEstimator):
    def predict(self, X):
        return X


def test_tags_are_mlflows():
    assert _describe.tags(LogisticRegression()) == {
        "estimator_name": "LogisticRegression",
        "estimator_class": "sklearn.linear_model._logistic.LogisticRegression",
        "fitbook.estimator_type": "classifier",
    }


def test_may_predict():
    assert _describe.may_predict(LogisticRegression())
    assert not _describe.may_predict(StandardScaler())
    assert not _describe.may_predict(Own())


def test_names_of_columns():
    frame = pd.DataFrame({"a": [1], 2: [3]})
    assert _describe.feature_names(frame) == ["a", "2"]
    assert _describe.feature_names(X) is None
