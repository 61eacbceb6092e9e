from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cloudpickle
import joblib
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

import fitbook
from fitbook.autolog._guard import inside, suppressed
from fitbook.autolog._session import FitHook, hook_fit
from fitbook.entities import Run

Runs = Callable[[], list[Run]]


class Recorder:
    """What a session tells of a fit."""

    def __init__(self, wanted: bool = True) -> None:
        self.wanted = wanted
        self.told: list[Any] = []

    def begin(self, estimator: Any, method: str, original: Any, args: Any, kwargs: Any) -> Any:
        self.told.append((method, args, kwargs))
        return self if self.wanted else None

    def ended(self, result: Any) -> None:
        assert not inside.get()
        self.told.append(("ended", result))

    def failed(self, error: BaseException) -> None:
        assert not inside.get()
        self.told.append(("failed", error))


class Thing:
    def fit(self, depth: int = 0, *, error: BaseException | None = None) -> Any:
        """Fit."""
        if error is not None:
            raise error
        return type(self).fit(self, depth - 1) if depth else self


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(Thing, "fit", hook_fit(Thing.fit, FitHook(recorder.begin)))
    return recorder


def test_only_the_outermost_fit_is_recorded(hooked: Recorder) -> None:
    thing = Thing()
    assert thing.fit(3) is thing
    assert hooked.told == [("fit", (3,), {}), ("ended", thing)]
    assert not inside.get()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration])
def test_a_fit_that_raises_is_told_and_its_error_passes_with_no_frame_of_ours(
    hooked: Recorder, kind: type[BaseException]
) -> None:
    error = kind("x")
    with pytest.raises(kind) as raised:
        Thing().fit(error=error)
    assert raised.value is error
    assert (error.__cause__, error.__context__) == (None, None)
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    assert frames == [__file__, __file__]
    assert hooked.told[1:] == [("failed", error)]
    assert not inside.get()


def test_arguments_that_do_not_fit_look_as_without_us(hooked: Recorder) -> None:
    with pytest.raises(TypeError, match=r"fit\(\) got an unexpected keyword argument 'nonsense'") as raised:
        Thing().fit(nonsense=1)  # type: ignore[call-arg]
    assert [entry.path.name for entry in raised.traceback] == ["test_session.py"]


def test_what_is_fitted_inside_a_fit_that_is_not_wanted_is_not_recorded_either(hooked: Recorder) -> None:
    hooked.wanted = False
    thing = Thing()
    assert thing.fit(1) is thing
    assert [entry[0] for entry in hooked.told] == ["fit"]
    assert not inside.get()


def test_nothing_is_recorded_of_what_fitbook_calls_itself(hooked: Recorder) -> None:
    with suppressed():
        Thing().fit()
    assert hooked.told == []


@pytest.mark.swallows
@pytest.mark.filterwarnings("ignore::fitbook._log.FitbookWarning")
def test_a_record_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Recorder):
        def ended(self, result: Any) -> None:
            raise ValueError("ours")

        def failed(self, error: BaseException) -> None:
            raise ValueError("ours")

    monkeypatch.setattr(Thing, "fit", hook_fit(Thing.fit, FitHook(Broken().begin)))
    thing = Thing()
    assert thing.fit() is thing
    error = KeyError("the user's")
    with pytest.raises(KeyError) as raised:
        thing.fit(error=error)
    assert raised.value is error
    assert error.__context__ is None


def test_a_hook_pickled_by_value_is_no_hook() -> None:
    class Local:
        def fit(self, value: int) -> tuple[str, int]:
            return "fitted", value

    recorder = Recorder()
    Local.fit = hook_fit(Local.fit, FitHook(recorder.begin))  # type: ignore[method-assign]
    copy = cloudpickle.loads(cloudpickle.dumps(Local.fit))
    assert copy(Local(), 3) == ("fitted", 3)
    assert recorder.told == []
    assert Local().fit(4) == ("fitted", 4)
    assert len(recorder.told) == 2
    assert cloudpickle.loads(cloudpickle.dumps(FitHook(recorder.begin))) is False


def test_every_thread_s_fit_is_a_run_with_its_own_params(data: Any, on: None, runs: Runs) -> None:
    barrier = threading.Barrier(32)

    def fit(number: int) -> None:
        barrier.wait(60)
        LogisticRegression(C=number + 1).fit(*data)

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(fit, range(32)))
    found = runs()
    assert sorted(float(run.data.params["C"]) for run in found) == [n + 1 for n in range(32)]
    assert {run.info.status for run in found} == {"FINISHED"}
    assert all("training_score" in run.data.metrics for run in found)
    assert all("mlflow.parentRunId" not in run.data.tags for run in found)


class Quick(BaseEstimator):
    def __init__(self, number: int = 0) -> None:
        self.number = number

    def fit(self, X: Any, y: Any) -> Quick:
        self.number_ = self.number
        return self

    def predict(self, X: Any) -> Any:
        return X


def test_threads_that_fit_at_once_again_and_again_lose_nothing(runs: Runs) -> None:
    fitbook.autolog(log_models=False, log_datasets=False, log_plots=False, log_post_training_metrics=False)
    rounds, threads = 25, 8
    barrier = threading.Barrier(threads)

    def fit(number: int) -> None:
        for n in range(rounds):
            barrier.wait(60)
            Quick(number * rounds + n).fit([[1]], [1])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fit, range(threads)))
    found = runs()
    assert sorted(int(run.data.params["number"]) for run in found) == list(range(rounds * threads))
    assert {run.info.status for run in found} == {"FINISHED"}


def test_each_of_many_fits_in_the_user_s_run_is_complete(data: Any, on: None, runs: Runs) -> None:
    model = LogisticRegression(C=7)
    with fitbook.start_run() as mine, ThreadPoolExecutor(4) as pool:
        model.fit(*data)
        model.set_params(C=8).fit(*data)  # the same estimator, changed
        context = [contextvars.copy_context() for _ in range(4)]
        jobs = [pool.submit(c.run, LogisticRegression(C=20 + n).fit, *data) for n, c in enumerate(context)]
        joblib.Parallel(n_jobs=2)(joblib.delayed(LogisticRegression(C=n).fit)(*data) for n in (30, 31, 32))
        assert all(job.result() for job in jobs)
    first, *others = sorted(runs(), key=lambda run: float(run.data.params["C"]))
    assert (first.info.run_id, first.data.params["C"]) == (mine.info.run_id, "7")
    assert [run.data.params["C"] for run in others] == ["8", "20", "21", "22", "23", "30", "31", "32"]
    for run in others:
        assert run.data.tags["mlflow.parentRunId"] == mine.info.run_id
        assert (run.info.status, "training_score" in run.data.metrics) == ("FINISHED", True)
        assert run.data.tags["fitbook.data.shape"] == "60 x 4"


def test_asyncio_tasks_keep_their_runs_apart(data: Any, on: None, runs: Runs) -> None:
    async def task(number: int) -> str:
        with fitbook.start_run(run_name=f"task {number}") as run:
            await asyncio.sleep(0.01)
            LogisticRegression(C=number + 1).fit(*data)
            await asyncio.sleep(0.01)
            await asyncio.to_thread(LogisticRegression(C=number + 101).fit, *data)
            return str(run.info.run_id)

    async def main() -> list[str]:
        return await asyncio.gather(*(task(number) for number in range(4)))

    ids = asyncio.run(main())
    found = {run.info.run_id: run for run in runs()}
    assert len(found) == 8
    for number, run_id in enumerate(ids):
        assert float(found[run_id].data.params["C"]) == number + 1
        (child,) = (run for run in found.values() if run.data.tags.get("mlflow.parentRunId") == run_id)
        assert float(child.data.params["C"]) == number + 101


class Meta(BaseEstimator):
    """A meta-estimator of the user's, which fits in worker threads or processes."""

    def __init__(self, backend: str = "threading") -> None:
        self.backend = backend

    def fit(self, X: Any, y: Any) -> Meta:
        fits = (joblib.delayed(LogisticRegression(C=n).fit)(X, y) for n in (1, 2, 3, 4))
        self.parts_ = joblib.Parallel(n_jobs=2, backend=self.backend)(fits)
        return self

    def predict(self, X: Any) -> Any:
        return self.parts_[0].predict(X)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_of_a_fit_make_no_runs(data: Any, on: None, runs: Runs, backend: str) -> None:
    assert len(Meta(backend).fit(*data).parts_) == 4
    assert [run.data.tags["estimator_name"] for run in runs()] == ["Meta"]


def test_worker_threads_of_the_user_s_run_log_into_it(data: Any, on: None, runs: Runs) -> None:
    with fitbook.start_run() as mine:
        fits = (joblib.delayed(LogisticRegression(C=n).fit)(*data) for n in (1, 2, 3))
        joblib.Parallel(n_jobs=2, backend="threading")(fits)
    found = runs()
    assert len(found) == 3
    assert sum(run.data.tags.get("mlflow.parentRunId") == mine.info.run_id for run in found) == 2


def test_worker_threads_outside_of_any_fit_make_a_run_each(data: Any, on: None, runs: Runs) -> None:
    joblib.Parallel(n_jobs=2, backend="threading")(joblib.delayed(LogisticRegression(C=n).fit)(*data) for n in (1, 2))
    assert sorted(run.data.params["C"] for run in runs()) == ["1", "2"]


def test_search_runs_right_after_a_fit_sees_all_of_it(data: Any, on: None) -> None:
    for C in (1, 2, 3):
        LogisticRegression(C=C).fit(*data)
        frame = fitbook.search_runs()
        assert len(frame) == C
        assert set(frame["status"]) == {"FINISHED"}
        assert frame["metrics.fitbook.overhead_ms"].notna().all()
