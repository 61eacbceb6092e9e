from __future__ import annotations

import gc
import inspect
import pickle
import subprocess
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.decomposition import IncrementalPCA
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.metrics import accuracy_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators

import fitbook
from fitbook.autolog import _session
from fitbook.autolog._session import finish_in_worker
from fitbook.autolog.sklearn import _streams
from fitbook.autolog.sklearn._stream_record import StreamRecord
from fitbook.entities import Run
from fitbook.tracking._writer import writer

Runs = Callable[[], list[Run]]
Files = Callable[[str], set[str]]

pytestmark = pytest.mark.usefixtures("on")


class Counting(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A class of the user's."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def partial_fit(self, X: Any, y: Any = None) -> Counting:
        self.seen_ = getattr(self, "seen_", 0) + 1
        if self.error is not None:
            raise self.error
        return self

    def predict(self, X: Any) -> Any:
        raise AssertionError("nobody asked for it")


def batches(data: Any, n: int = 6) -> list[tuple[Any, Any]]:
    return list(zip(np.array_split(data[0], n), np.array_split(data[1], n), strict=True))


def stream(model: Any, data: Any, n: int = 6) -> Any:
    for X, y in batches(data, n):
        model.partial_fit(X, y, classes=[0, 1])
    return model


def test_the_calls_of_one_estimator_are_one_run(data: Any, runs: Runs, files: Files) -> None:
    model = stream(SGDClassifier(alpha=0.01, random_state=0), data)
    (run,) = runs()
    assert run.info.status == "RUNNING"
    assert run.data.params["alpha"] == "0.01"
    learned = model.coef_.copy()
    del model
    (run,) = runs()
    assert run.info.status == "FINISHED"
    metrics, tags = run.data.metrics, run.data.tags
    assert (metrics["stream_calls"], metrics["stream_rows"]) == (6, 60)
    assert {"training_accuracy_score", "training_t", "fit_duration_seconds", "fitbook.overhead_ms"} <= set(metrics)
    assert (tags["fitbook.stream"], tags["fitbook.method"]) == ("true", "partial_fit")
    assert (tags["fitbook.data.shape"], tags["estimator_name"]) == ("10 x 4", "SGDClassifier")
    assert tags["fitbook.data.classes"] == "array([0, 1], dtype=int64)"
    history = fitbook.tracking.MlflowClient().get_metric_history(run.info.run_id, "stream_rows")
    assert [(point.step, point.value) for point in history] == [(1, 10), (6, 60)]
    assert {"model", "coefficients.csv", "estimator.html"} <= files(run.info.run_id)
    kept = fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    assert (kept.coef_ == learned).all()
    signature = fitbook.pyfunc.load_model(f"runs:/{run.info.run_id}/model").metadata.signature
    assert signature is not None
    assert signature.outputs is not None


def test_a_fit_ends_the_stream_with_the_model_of_before(data: Any, runs: Runs) -> None:
    model = stream(SGDClassifier(random_state=0), data)
    before = model.coef_.copy()
    model.fit(*data)
    streamed, fitted = runs()
    assert [streamed.info.status, fitted.info.status] == ["FINISHED", "FINISHED"]
    assert "fitbook.stream" not in fitted.data.tags
    assert (fitbook.sklearn.load_model(f"runs:/{streamed.info.run_id}/model").coef_ == before).all()
    stream(model, data)
    assert len(runs()) == 3


def test_turning_autologging_off_ends_streams(data: Any, runs: Runs) -> None:
    model = stream(GaussianNB(), data)
    fitbook.autolog(disable=True)
    (run,) = runs()
    assert run.info.status == "FINISHED"
    stream(model, data)
    assert len(runs()) == 1


def test_a_stream_goes_into_the_user_s_run_and_ends_with_it(data: Any, runs: Runs, files: Files) -> None:
    model, other = GaussianNB(), GaussianNB()
    with fitbook.start_run() as outer:
        stream(model, data)
        stream(other, data)
        first, second = runs()
        assert first.data.metrics["stream_calls"] == 1
        assert "model" not in files(outer.info.run_id)
    first, second = runs()
    assert first.info.run_id == outer.info.run_id
    assert [first.info.status, second.info.status] == ["FINISHED", "FINISHED"]
    assert (first.data.params["var_smoothing"], first.data.metrics["stream_calls"]) == ("1e-09", 6)
    assert second.data.tags["mlflow.parentRunId"] == outer.info.run_id
    assert all("model" in files(run.info.run_id) for run in (first, second))
    model.partial_fit(*batches(data)[0])
    assert len(runs()) == 3
    with fitbook.start_run():
        model.partial_fit(*batches(data)[0])
        assert runs()[2].info.status == "FINISHED"
    assert [run.data.metrics["stream_calls"] for run in runs()] == [6, 6, 1, 1]


def test_with_exclusive_the_user_s_run_is_left_alone(data: Any, runs: Runs) -> None:
    fitbook.autolog(log_plots=False, exclusive=True)
    model = GaussianNB()
    model.partial_fit(*batches(data)[0], classes=[0, 1])
    with fitbook.start_run():
        model.partial_fit(*batches(data)[1])
    del model
    assert sorted(run.data.metrics.get("stream_calls", 0) for run in runs()) == [0, 2]


def test_scores_and_metrics_go_to_the_stream_s_run(data: Any, runs: Runs) -> None:
    X, y = data
    model = stream(SGDClassifier(random_state=0), data)
    model.score(X, y)
    accuracy_score(y, model.predict(X))
    (run,) = runs()
    assert {"SGDClassifier_score_X", "accuracy_score_X"} <= set(run.data.metrics)


def test_only_outermost_calls_of_models_are_streams(data: Any, runs: Runs) -> None:
    X, y = data
    StandardScaler().partial_fit(X)
    assert runs() == []
    IncrementalPCA(2, batch_size=10).fit(X)
    assert [run.data.tags.get("fitbook.stream") for run in runs()] == [None]
    model = OneVsRestClassifier(SGDClassifier()).partial_fit(X, y, classes=[0, 1])
    assert [run.data.tags["estimator_name"] for run in runs()] == ["IncrementalPCA", "OneVsRestClassifier"]
    with fitbook.autolog_disabled():
        GaussianNB().partial_fit(X, y, classes=[0, 1])
    assert len(runs()) == 2
    assert model is not None


def test_estimators_in_threads_are_streams_of_their_own(data: Any, runs: Runs) -> None:
    alphas = [0.1, 0.2, 0.3, 0.4]
    threads = [threading.Thread(target=lambda a=a: stream(SGDClassifier(alpha=a), data)) for a in alphas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    found = runs()
    assert sorted(run.data.params["alpha"] for run in found) == list(map(str, alphas))
    assert {(run.info.status, run.data.metrics["stream_calls"]) for run in found} == {("FINISHED", 6)}


def test_the_estimator_is_not_kept_alive(data: Any, runs: Runs) -> None:
    model = stream(MLPClassifier((3,), random_state=0), data)
    gone, weights = weakref.ref(model), weakref.ref(model.coefs_[0])
    copied = clone(model)
    del model
    assert gone() is None
    assert _streams._streams == {}
    writer.flush()
    assert weights() is None
    assert copied is not None


class Trainer:
    """Refers to its model, which refers to it."""

    def __init__(self, model: Any) -> None:
        self.model = model


@pytest.mark.parametrize("calls", [0, 1, 2], ids="set before call {}".format)
def test_an_object_of_the_user_s_in_an_attribute_is_not_kept_alive(calls: int, data: Any, runs: Runs) -> None:
    trainer = Trainer(GaussianNB())
    gone = weakref.ref(trainer)
    for n, (X, y) in enumerate(batches(data, 2)):
        if n == calls:
            trainer.model.of = [trainer]
        trainer.model.partial_fit(X, y, classes=[0, 1])
    trainer.model.of = [trainer]
    del trainer
    gc.collect()
    assert gone() is None
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert ("model not kept" in run.data.tags.get("fitbook.notes", "")) is (calls < 2)


@pytest.mark.swallows
def test_a_user_s_class_ends_without_model_if_it_is_gone(runs: Runs, files: Files, data: Any) -> None:
    model = Counting()
    for X, y in batches(data):
        model.partial_fit(X, y)
    del model
    (run,) = runs()
    assert (run.info.status, run.data.metrics["stream_calls"]) == ("FINISHED", 6)
    assert "model not kept" in run.data.tags["fitbook.notes"]
    assert "model" not in files(run.info.run_id)
    kept = Counting()
    kept.partial_fit(*data)
    fitbook.autolog(disable=True)
    assert "model" in files(runs()[1].info.run_id)


def test_a_first_call_that_raises_is_a_failed_run(runs: Runs, files: Files, data: Any) -> None:
    error = ValueError("no such class")
    with pytest.raises(ValueError, match="no such class") as caught:
        Counting(error).partial_fit(*data)
    assert caught.value is error
    assert [entry.name for entry in caught.traceback][-1:] == ["partial_fit"]
    assert sum(entry.name == "partial_fit" for entry in caught.traceback) == 1
    (run,) = runs()
    assert (run.info.status, run.data.tags["fitbook.error"]) == ("FAILED", "ValueError: no such class")
    assert run.data.tags["fitbook.data.shape"] == "60 x 4"
    assert "traceback.txt" in files(run.info.run_id)


@pytest.mark.parametrize(("error", "status"), [(ValueError("bad batch"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_later_call_that_raises_ends_the_stream_unless_another_one_returns(
    error: BaseException, status: str, runs: Runs, files: Files, data: Any
) -> None:
    model, other = Counting(), Counting()
    for one in (model, other):
        one.partial_fit(*data)
        one.error = error
        with pytest.raises(type(error)):
            one.partial_fit(*data)
    model.error = None
    model.partial_fit(*data)
    fitbook.autolog(disable=True)
    went_on, ended = runs()
    assert (went_on.info.status, went_on.data.metrics["stream_calls"]) == ("FINISHED", 2)
    assert (ended.info.status, ended.data.metrics["stream_calls"]) == (status, 1)
    for run in (went_on, ended):
        assert type(error).__name__ in run.data.tags["fitbook.error"]
        assert "1 calls of partial_fit raised" in run.data.tags["fitbook.notes"]
        assert "traceback.txt" in files(run.info.run_id)


def test_looks_are_rare_and_cost_little_of_the_time(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = [time.perf_counter()], list[float]()

    def clock() -> float:
        return now[0]

    def look(self: StreamRecord, estimator: Any, seconds: float) -> None:
        looks.append(now[0])
        now[0] += 0.001 if len(looks) < 4 else 0.2  # a slow one is followed by a longer pause

    monkeypatch.setattr(time, "perf_counter", clock)
    monkeypatch.setattr(StreamRecord, "look", look)
    model = Counting()
    for _ in range(1000):
        model.partial_fit(*data)
        now[0] += 0.01
    pauses = np.diff(looks).round(2)
    assert pauses[:3].min() >= 1.0
    assert pauses[3:].min() >= 4.0
    assert len(looks) >= 5


def test_after_the_first_call_nothing_is_written_by_the_caller(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = GaussianNB()
    model.partial_fit(*batches(data)[0], classes=[0, 1])
    monkeypatch.setattr(_streams, "_LOOK_SECONDS", 0.0)
    (found,) = _streams._streams.values()
    assert found.record is not None
    store, writers = found.record.backend.store, list[str]()
    log_batch = store.log_batch

    def logged(*args: Any, **kwargs: Any) -> None:
        writers.append(threading.current_thread().name)
        log_batch(*args, **kwargs)

    monkeypatch.setattr(store, "log_batch", logged)
    for X, y in batches(data):
        found._keep = found._look = 0.0
        model.partial_fit(X, y)
        model.partial_fit(X, y)
    writer.flush()
    assert set(writers) == {"fitbook-writer"}


def test_a_look_shows_how_far_the_stream_is(data: Any, runs: Runs) -> None:
    model = MLPClassifier((3,), random_state=0)
    for n, (X, y) in enumerate(batches(data), start=1):
        model.partial_fit(X, y, classes=[0, 1])
        (found,) = _streams._streams.values()
        if n in (1, 4):
            found._keep = found._look = 0.0
    run_id = runs()[0].info.run_id
    history = fitbook.tracking.MlflowClient().get_metric_history
    for name in ("stream_rows", "training_accuracy_score", "training_t"):
        assert [point.step for point in history(run_id, name)] == [1, 2, 5]
    del model, found
    deadline = time.monotonic() + 60
    while runs()[0].info.status == "RUNNING" and time.monotonic() < deadline:
        gc.collect()  # what the background was looking at goes with it
    for name in ("stream_rows", "training_accuracy_score", "training_t"):
        assert [point.step for point in history(run_id, name)] == [1, 2, 5, 6], name
    losses = history(run_id, "training_loss")
    assert sorted(point.step for point in losses) == [1, 2, 3, 4, 5, 6]
    assert len({point.value for point in losses}) == 6


class Held(GaussianNB):  # type: ignore[misc]
    """Its second call waits until it may go on."""

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Any:
        if hasattr(self, "began"):
            self.began.set()
            assert self.go_on.wait(20)
        return super().partial_fit(X, y, classes)


def test_a_task_ends_the_streams_of_its_own_thread_only(data: Any, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "in_worker", lambda: True)
    mine, other = GaussianNB(), GaussianNB()
    thread = threading.Thread(target=stream, args=(other, data))
    thread.start()
    thread.join()
    stream(mine, data)
    finish_in_worker(ends=True)
    assert [found.reference() for found in _streams._streams.values()] == [other]


def test_a_stream_that_is_ended_during_a_call_ends_after_it(data: Any, runs: Runs, files: Files) -> None:
    model = Held().partial_fit(*batches(data)[0], classes=[0, 1])
    model.began, model.go_on = threading.Event(), threading.Event()
    thread = threading.Thread(target=model.partial_fit, args=batches(data)[1])
    thread.start()
    assert model.began.wait(20)
    _streams.end_all()
    assert [run.info.status for run in runs()] == ["RUNNING"]
    model.go_on.set()
    thread.join()
    (run,) = runs()
    assert (run.info.status, run.data.metrics["stream_calls"]) == ("FINISHED", 2)


_COLLECTS = """
import gc, multiprocessing, threading
import fitbook
import numpy as np
from fitbook.autolog.sklearn import _streams
from fitbook.tracking._writer import writer
from sklearn.naive_bayes import GaussianNB

X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2

def garbage():
    model = GaussianNB().partial_fit(X, y, classes=[0, 1])
    model.itself = [model]

def work():
    _streams._WORKER_SECONDS = 1e6
    gc.disable()
    close = _streams.Stream.close

    def collecting(self):
        gc.collect()
        close(self)

    _streams.Stream.close = collecting
    garbage()
    writer.soon(gc.collect)  # on the writer's thread
    writer.flush()
    garbage()
    GaussianNB().partial_fit(X, y, classes=[0, 1])  # on the undertaker's
    garbage()
    model = GaussianNB().partial_fit(X, y, classes=[0, 1])
    _streams.end_all()  # on this one, while it ends streams

if __name__ == "__main__":
    fitbook.autolog(log_plots=False)
    process = multiprocessing.get_context("fork").Process(target=work, daemon=True)
    process.start()
    process.join(20)
    print(process.exitcode)
"""


def test_garbage_found_while_streams_end_does_not_wait_for_that(
    script: Callable[..., subprocess.CompletedProcess[str]], runs: Runs
) -> None:
    done = script(_COLLECTS)
    assert (done.stdout, done.stderr) == ("0\n", "")
    assert [run.info.status for run in runs()] == ["FINISHED"] * 5


def test_a_fork_waits_for_the_stream_that_is_being_ended(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    began, go_on, order = threading.Event(), threading.Event(), list[str]()
    close = _streams.Stream.close

    def slow(self: Any) -> None:
        began.set()
        assert go_on.wait(20)
        close(self)
        order.append("ended")

    def fork() -> None:
        _streams._undertaker.pause()
        order.append("forked")
        _streams._undertaker.go_on()

    monkeypatch.setattr(_streams.Stream, "close", slow)
    monkeypatch.setattr(_streams, "_WORKER_SECONDS", 60.0)
    stream(GaussianNB(), data)
    assert began.wait(20)
    forking = threading.Thread(target=fork)
    forking.start()
    go_on.set()
    forking.join()
    assert order == ["ended", "forked"]


_PROGRAM = """
import multiprocessing, os, sys
import fitbook
import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import SGDClassifier

X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2

def stream(alpha):
    model = SGDClassifier(alpha=alpha)
    for start in (0, 10):
        model.partial_fit(X[start:start + 10], y[start:start + 10], classes=[0, 1])
    return model if alpha > 0.4 else model.predict(X).mean()

if __name__ == "__main__":
    fitbook.autolog(log_plots=False)
    kept = stream(0.5)
    if sys.argv[1:] == ["kill"]:
        os.kill(os.getpid(), 9)
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=stream, args=(0.6,))
    process.start()
    process.join()
    with fork.Pool(1) as pool:
        pool.map(stream, [0.1, 0.2])
    for backend in ("multiprocessing", "loky"):
        Parallel(2, backend=backend)(delayed(stream)(alpha) for alpha in (0.3, 0.7))
    # What workers have done is over before their processes are.
    (running,) = fitbook.search_runs(filter_string="attributes.status = 'RUNNING'", output_format="list")
    assert running.data.params["alpha"] == "0.5"
    kept.partial_fit(X, y)
"""


def test_streams_of_a_program_and_its_workers_end_with_them(
    script: Callable[..., subprocess.CompletedProcess[str]], runs: Runs, files: Files
) -> None:
    done = script(_PROGRAM)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = [(run.data.params["alpha"], run) for run in runs()]
    assert sorted(alpha for alpha, _ in found) == ["0.1", "0.2", "0.3", "0.3", "0.5", "0.6", "0.7", "0.7"]
    for alpha, run in found:
        assert (run.info.status, run.data.metrics["stream_calls"]) == ("FINISHED", 3 if alpha == "0.5" else 2)
        assert "model" in files(run.info.run_id)


def test_a_killed_program_s_stream_has_failed(
    script: Callable[..., subprocess.CompletedProcess[str]], runs: Runs
) -> None:
    source = _PROGRAM.replace(
        "import multiprocessing", "import os; os.environ['FITBOOK_RUN_LEASE'] = '0.1'\nimport multiprocessing"
    )
    assert script(source.replace('sys.argv[1:] == ["kill"]', "True")).returncode == -9
    while (found := runs())[0].info.status == "RUNNING":
        pass  # its lease runs out
    assert [(run.info.status, run.data.metrics["stream_calls"]) for run in found] == [("FAILED", 1)]


STREAMING = [cls for _, cls in all_estimators() if hasattr(cls, "partial_fit")]


@pytest.mark.parametrize("cls", STREAMING, ids=lambda cls: cls.__name__)
@pytest.mark.filterwarnings("ignore:.*PassiveAggressive:FutureWarning")
def test_every_estimator_learns_what_it_would_without(
    cls: type, data: Any, runs: Runs, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learned() -> Any:
        np.random.seed(0)
        model = made(cls)
        for X, y in batches((np.round(np.abs(data[0])), data[1]), 3):
            given, classes = batch(model, X, y)
            model.partial_fit(*given, **classes)
        return model

    monkeypatch.setattr(_streams, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(_streams, "_KEEP_SECONDS", 0.0)
    monkeypatch.setattr(_streams, "_SHARE", 1e9)
    with_it = pickle.dumps(learned())
    gc.collect()  # joblib's iterators may refer to it in a circle
    assert _streams._streams == {}
    fitbook.autolog(disable=True)
    assert with_it == pickle.dumps(learned())
    for run in runs():
        assert run.info.status == "FINISHED"
        assert run.data.tags["estimator_name"] == cls.__name__
        assert run.data.metrics["stream_calls"] == 3
        assert "model" in files(run.info.run_id)
        assert "fitbook.dropped" not in run.data.tags


def made(cls: type) -> Any:
    if cls.__name__ in ("MultiOutputRegressor", "SelectFromModel"):
        return cls(SGDRegressor(random_state=0))
    if cls.__name__ in ("MultiOutputClassifier", "OneVsRestClassifier", "OneVsOneClassifier"):
        return cls(SGDClassifier(random_state=0))
    small = {"n_components": 2, "n_clusters": 3, "random_state": 0, "batch_size": 10, "hidden_layer_sizes": (3,)}
    accepted = cls().get_params()
    return cls(**{name: value for name, value in small.items() if name in accepted})


def batch(model: Any, X: Any, y: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What to give a model for a batch."""
    if type(model).__name__ == "MultiOutputClassifier":
        return (X, np.column_stack([y, 1 - y])), {"classes": [[0, 1], [0, 1]]}
    if type(model).__name__ == "MultiOutputRegressor":
        return (X, np.column_stack([y, X[:, 0]])), {}
    return (X, y), {"classes": [0, 1]} if "classes" in inspect.signature(model.partial_fit).parameters else {}
