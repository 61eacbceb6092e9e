from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import cross_val_score

import fitbook
from fitbook._log import FitbookWarning
from fitbook.autolog import _switch
from fitbook.entities import Run
from fitbook.errors import IntegrationUnavailable, InvalidValue

Runs = Callable[[], list[Run]]
Script = Callable[..., subprocess.CompletedProcess[str]]


def test_twice_on_records_once_and_off_records_nothing(data: Any, runs: Runs) -> None:
    fitbook.autolog(log_plots=False)
    fitbook.autolog(log_plots=False, extra_tags={"a": "b"})
    LogisticRegression().fit(*data)
    assert [run.data.tags["a"] for run in runs()] == ["b"]
    fitbook.autolog(disable=True)
    fitbook.autolog(disable=True)
    LogisticRegression().fit(*data)
    assert len(runs()) == 1
    fitbook.sklearn.autolog(log_plots=False)
    LogisticRegression().fit(*data)
    assert len(runs()) == 2
    fitbook.sklearn.autolog(disable=True)
    LogisticRegression().fit(*data)
    assert len(runs()) == 2


def test_somebody_else_s_patch_on_top_keeps_working_in_any_order(data: Any, runs: Runs) -> None:
    original = LogisticRegression.fit
    fitbook.autolog(log_plots=False)
    hooked = LogisticRegression.fit
    theirs: list[str] = []

    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        theirs.append("called")
        return hooked(self, *args, **kwargs)

    try:
        LogisticRegression.fit = fit
        LogisticRegression().fit(*data)
        fitbook.autolog(disable=True)
        LogisticRegression().fit(*data)
        assert LogisticRegression.fit is fit
        assert (len(theirs), len(runs())) == (2, 1)
    finally:
        LogisticRegression.fit = original


@pytest.mark.parametrize(
    "options",
    [
        {"registered_model_name": "a/b"},
        {"registered_model_name": ""},
        {"serialization_format": "joblib"},
        {"max_tuning_runs": -1},
        {"max_tuning_runs": 1.5},
        {"extra_tags": {"": "x"}},
        {"extra_tags": {"a": "b\x00"}},
    ],
)
def test_options_that_can_t_be_are_refused_by_autolog_itself(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        fitbook.autolog(**options)


def test_a_version_that_does_not_fit_is_warned_of_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_switch.INTEGRATIONS["sklearn"], "supported", ((98,), (99,)))
    with pytest.warns(FitbookWarning, match="sklearn is not autologged: scikit-learn .* is installed"):
        fitbook.autolog()
    fitbook.autolog(disable_for_unsupported_versions=True)
    fitbook.autolog(silent=True)
    with pytest.raises(IntegrationUnavailable, match="can't be turned on"):
        fitbook.sklearn.autolog()


CODE = """
import numpy as np
X, y = np.random.default_rng(0).normal(size=(40, 3)), [0, 1] * 20
"""


@pytest.mark.parametrize("first", ["import sklearn.linear_model, sklearn.metrics", "import fitbook; fitbook.autolog()"])
def test_before_and_after_scikit_learn_is_imported_and_all_finished_at_exit(
    script: Script, first: str, runs: Runs, tmp_path: Any
) -> None:
    done = script(
        f"{first}\nfrom sklearn.metrics import accuracy_score\nimport fitbook, sys\nfitbook.autolog()\n{CODE}"
        "from sklearn.linear_model import LogisticRegression\n"
        "m = LogisticRegression().fit(X, y)\naccuracy_score(y, m.predict(X))\nLogisticRegression(C=2).fit(X, y)\n",
        "-W",
        "error",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    fitbook.set_tracking_uri(tmp_path / "fitbook-runs")
    found = runs()
    assert [run.info.status for run in found] == ["FINISHED", "FINISHED"]
    assert "accuracy_score_X" in found[0].data.metrics or "accuracy_score_unknown_dataset" in found[0].data.metrics
    for run in found:
        assert "fitbook.overhead_ms" in run.data.metrics
        assert fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/model") is not None


def test_turning_on_imports_no_scikit_learn(script: Script) -> None:
    done = script("import fitbook, sys\nfitbook.autolog()\nprint('sklearn' in sys.modules)")
    assert (done.stdout, done.stderr) == ("False\n", "")


OWN = """
import fitbook
fitbook.autolog(log_plots=False)
import joblib, numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV

class Mine(ClassifierMixin, BaseEstimator):
    def __init__(self, k=0):
        self.k = k
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self
    def predict(self, X):
        return np.full(len(X), self.classes_[self.k])

if __name__ == "__main__":
    X, y = np.zeros((30, 2)), np.arange(30) % 2
    search = GridSearchCV(Mine(), {"k": [0, 1]}, n_jobs=2, cv=3).fit(X, y)
    print([len(p) for p in joblib.Parallel(2)(joblib.delayed(search.best_estimator_.predict)(X) for _ in range(2))])
    Mine().fit(X, y)
    import cloudpickle
    open("mine.pickle", "wb").write(cloudpickle.dumps(Mine(1).fit(X, y)))
    fitbook.autolog(disable=True)
    print(sum("candidate" not in n for n in fitbook.search_runs()["tags.mlflow.runName"]), len(fitbook.search_runs()))
"""


def test_worker_processes_get_the_classes_of_a_script_unhooked(script: Script, tmp_path: Any) -> None:
    done = script(OWN)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[30, 30]\n3 5\n", "")
    without = "import sys, pickle\nsys.modules['fitbook'] = None\nm = pickle.load(open('mine.pickle', 'rb'))\n"
    done = script(without + "print(m.fit([[1]] * 3, [5, 6, 5]).predict([[1]]))")
    assert (done.stdout, done.stderr) == ("[6]\n", "")


def test_autolog_disabled_records_nothing_here_and_all_elsewhere(data: Any, runs: Runs) -> None:
    fitbook.autolog(log_plots=False, log_models=False)
    model = LogisticRegression().fit(*data)
    before = len(runs()[0].data.metrics)

    @fitbook.autolog_disabled()
    def fitted(depth: int) -> LogisticRegression:
        return fitted(depth - 1) if depth else LogisticRegression().fit(*data)

    with fitbook.autolog_disabled():
        with fitbook.autolog_disabled():
            pass
        LogisticRegression().fit(*data)
        accuracy_score(data[1], model.predict(data[0]))
        model.score(*data)
        cross_val_score(model, *data, cv=2)
        other = threading.Thread(target=lambda: LogisticRegression(C=2).fit(*data))
        other.start()
        other.join()
    fitted(2)
    with contextlib.suppress(KeyError), fitbook.autolog_disabled():
        raise KeyError
    assert [run.data.params["C"] for run in runs()] == ["1.0", "2"]  # a thread of one's own is elsewhere
    assert len(runs()[0].data.metrics) == before
    LogisticRegression(C=3).fit(*data)
    assert len(runs()) == 3


def test_autolog_disabled_is_a_task_s_own(data: Any, runs: Runs) -> None:
    fitbook.autolog(log_plots=False, log_models=False)

    async def task(C: int, *, disabled: bool) -> None:
        with fitbook.autolog_disabled() if disabled else contextlib.nullcontext():
            await asyncio.sleep(0)
            LogisticRegression(C=C).fit(*data)

    async def both() -> None:
        await asyncio.gather(task(1, disabled=True), task(2, disabled=False))

    asyncio.run(both())
    assert [run.data.params["C"] for run in runs()] == ["2"]
