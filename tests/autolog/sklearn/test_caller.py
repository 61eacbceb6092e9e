from __future__ import annotations

import sys
from typing import Any

import joblib
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.metrics import make_scorer
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.parallel import Parallel, delayed

from fitbook.autolog.sklearn._caller import UNKNOWN_DATA, name_of, users_frame

WHOLE = [1.0, 2.0]


class Model:
    """Says what its caller calls the data."""

    def predict(self, *args: Any, **kwargs: Any) -> str:
        return name_of(0, args, kwargs, sys._getframe(1), "predict")

    def from_estimator(self, *args: Any, **kwargs: Any) -> str:
        return name_of(1, args, kwargs, sys._getframe(1), "from_estimator")

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        return name_of(1, args, kwargs, sys._getframe(1))


def test_names_of_variables(data: Any) -> None:
    model, X_test = Model(), data[0]
    scorer = display = model
    # Not in an assert: pytest makes other calls of those in there.
    names = [
        model.predict(X_test),
        model.predict(X=X_test),
        scorer(model, X_test, data[1]),
        scorer(model, X_test, data[1], sample_weight=None),
        scorer(y=data[1], estimator=model, X=X_test),
        scorer(model, y=data[1], X=X_test),
        display.from_estimator(model, X_test, data[1]),
        (lambda one: one.from_estimator(one, X_test, None))(model),  # of a variable that it shares
    ]
    assert names == ["X_test"] * 8
    names = [model.predict(part) for part in [X_test[:5]]] + [model.predict(WHOLE)]
    assert names == ["part", "WHOLE"]
    assert list(map(model, [model], [X_test])) in ([UNKNOWN_DATA], ["X_test"])


@pytest.mark.parametrize(
    "call",
    [
        lambda model, X: model.predict(X[:5]),
        lambda model, X: model.predict(None),
        lambda model, X: model.predict(),
        lambda model, X: model(model),
        lambda model, X: model.predict(X + 0),
        lambda model, _hidden: model.predict(_hidden),
        lambda model, X: next(map(model.predict, [X[:5]])),
    ],
)
def test_what_has_no_name_is_unknown(data: Any, call: Any) -> None:
    assert call(Model(), data[0]) == UNKNOWN_DATA


def test_at_a_module_s_level_and_in_a_notebook_s_cells(data: Any) -> None:
    cell = "held_out = X[:9]\nnames.append(model.predict(held_out))\nnames.append(model(model, X=held_out))"
    variables: dict[str, Any] = {"model": Model(), "X": data[0], "names": []}
    for number in range(3):
        exec(compile(cell, f"<ipython-input-{number}>", "exec"), variables)
    assert variables["names"] == ["held_out"] * 6
    exec("class Body:\n    inner = X[:3]\n    name = model.predict(inner)", variables)
    assert variables["Body"].name == "inner"


def asked() -> bool:
    return users_frame(sys._getframe()) is not None


def test_a_call_is_the_user_s_unless_scikit_learn_is_at_work_around_it(data: Any) -> None:
    assert asked()
    assert [asked() for _ in range(2)] == [True, True]
    for parallel, task in ((Parallel, delayed(asked)()), (joblib.Parallel, joblib.delayed(asked)())):
        assert parallel(n_jobs=2, backend="threading")(task for _ in range(2)) == [True, True]
    answers: list[bool] = []

    def step(X: Any) -> Any:
        answers.append(asked())
        return X

    FunctionTransformer(step).transform(data[0])

    def scorer(model: Any, X: Any, y: Any) -> float:
        answers.append(asked())
        return 0.0

    model = LinearRegression().fit(*data)
    for n_jobs in (1, 2):
        with joblib.parallel_config("threading"):
            permutation_importance(model, *data, scoring=scorer, n_repeats=1, n_jobs=n_jobs)
    make_scorer(lambda y, p: scorer(model, p, y))(model, *data)
    assert not any(answers)
    assert len(answers) == 12
