from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any

import joblib
import pytest
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression, Ridge

import fitbook
from fitbook.autolog import _tasks
from fitbook.autolog._guard import OURS, inside, suppressed
from fitbook.autolog._session import recording
from fitbook.autolog._tasks import Task
from fitbook.entities import Run
from fitbook.tracking import _active

Runs = Callable[[], list[Run]]


def given(tasks: Any, n_jobs: int = 2, **options: Any) -> Any:
    """What joblib is given in place of some tasks."""
    from fitbook.autolog._switch import INTEGRATIONS

    return _tasks._with_context(Parallel(n_jobs=n_jobs, **options), tasks, INTEGRATIONS["sklearn"].config)


def level() -> tuple[int, Any]:
    return inside.get(), recording.get()


# -- what joblib is given ----------------------------------------------------------------------------------------------


def test_where_nothing_is_to_be_carried_tasks_are_left_alone(on: None) -> None:
    tasks = [delayed(sqrt)(4)]
    assert given(tasks, n_jobs=1) is tasks
    assert given(5) == 5
    fitbook.autolog(disable=True)
    assert given(tasks) is tasks


def test_a_list_keeps_its_length_and_a_generator_stays_lazy(on: None) -> None:
    assert len(given([delayed(sqrt)(4)] * 3)) == 3
    made = []

    def lazily() -> Iterator[Any]:
        for number in range(3):
            made.append(number)
            yield delayed(sqrt)(number)

    tasks = given(lazily())
    assert not hasattr(tasks, "__len__")
    assert made == []
    next(iter(tasks))
    assert made == [0]


@pytest.mark.parametrize("sized", [False, True])
def test_an_iterable_that_raises_is_asked_once_and_its_error_has_no_frame_of_ours(on: None, sized: bool) -> None:
    asked = []

    class Raises:
        def __iter__(self) -> Iterator[Any]:
            asked.append(1)
            raise KeyError("the user's")

    class Sized(Raises):
        def __len__(self) -> int:
            return 3

    with pytest.raises(KeyError) as raised:
        Parallel(n_jobs=2, backend="threading")(Sized() if sized else Raises())
    assert asked == [1]
    assert [entry.name for entry in raised.traceback][-1] == "__iter__"
    assert not [entry for entry in raised.traceback if entry.path == Path(_tasks.__file__)]


def test_no_store_is_asked_before_something_is_fitted(
    on: None, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def named() -> Iterator[Any]:
        monkeypatch.delenv("FITBOOK_EXPERIMENT_NAME")  # nothing but the task tells of it
        assert not list(tmp_path.glob("*/fitbook.db"))
        yield from fits(2)

    monkeypatch.setenv("FITBOOK_EXPERIMENT_NAME", "new")
    Parallel(n_jobs=2)(named())
    assert [fitbook.get_experiment(run.info.experiment_id).name for run in runs()] == ["new", "new"]


def test_what_is_no_task_is_passed_on_as_it_is(on: None) -> None:
    nonsense = ["ab", 3, (sqrt, (4,))]
    assert list(given(nonsense)) == nonsense


def test_a_task_looks_like_its_function(on: None) -> None:
    (first, _, _), (second, _, _) = given([delayed(sqrt)(4), delayed(sqrt)(9)])
    assert isinstance(first, Task)
    assert first.__name__ == "sqrt"
    assert len({first, second}) == 1
    assert first != sqrt
    with pytest.raises(AttributeError):
        first.nonsense


def test_a_task_is_a_few_hundred_bytes_more_than_its_function(on: None) -> None:
    fitbook.set_tracking_uri("runs")
    plain = len(pickle.dumps(delayed(sqrt)(4)))
    task = next(iter(given([delayed(sqrt)(4)])))
    assert len(pickle.dumps(task)) - plain < 700 + len(fitbook.get_tracking_uri())
    with suppressed():
        task = next(iter(given([delayed(sqrt)(4)])))
    assert len(pickle.dumps(task)) - plain < 300


def test_a_task_can_be_sent_on(on: None, runs: Runs) -> None:
    (task, args, kwargs) = next(iter(given([delayed(ridge)()])))
    for _ in range(3):
        task = pickle.loads(pickle.dumps(task))
    fitbook.autolog(disable=True)
    task(*args, **kwargs)
    assert runs() == []  # this is the process that sent it, so what holds here counts
    assert isinstance(task, Task)
    assert type(task) is not Task


def ridge() -> None:
    Ridge().fit([[0], [1]], [0, 1])


# -- in threads of the same process ------------------------------------------------------------------------------------


def test_a_task_carries_its_context_to_a_thread_and_leaves_nothing_there(on: None) -> None:
    with suppressed():
        (ours, _, _) = next(iter(given([delayed(level)()])))
    (outside, _, _) = next(iter(given([delayed(level)()])))
    with ThreadPoolExecutor(1) as pool:
        assert [pool.submit(work).result() for work in (ours, outside, level)] == [(OURS, None), (0, None), (0, None)]
        assert pool.submit(_active.stack).result() == ()


def test_worker_threads_log_to_the_run_that_is_active_where_they_were_called(on: None) -> None:
    with fitbook.start_run() as run:
        Parallel(n_jobs=2, backend="threading")(delayed(fitbook.log_metric)(f"m{n}", n) for n in range(20))
    assert len(fitbook.get_run(run.info.run_id).data.metrics) == 20


class Watched:
    """A record that watches the tasks which are run for it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, Any]] = []

    def observer(self) -> Watched:
        return self

    def sent(self, function: Any, args: Any, kwargs: Any) -> Watched | None:
        return self if args != ("left alone",) else None

    def run(self, function: Any, args: Any, kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        self.seen.append((function.__name__, os.getpid(), result))
        return result

    def ended(self, result: Any) -> None: ...

    def failed(self, error: BaseException) -> None: ...


def nested(value: Any) -> Any:
    Parallel(n_jobs=2, backend="threading")(delayed(str)(part) for part in (1, 2))
    return value, level()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_record_s_observer_runs_its_tasks_and_none_of_theirs(on: None, n_jobs: int) -> None:
    watched = Watched()
    token = recording.set(watched)
    try:
        options = {} if n_jobs == 1 else {"backend": "threading"}
        results = Parallel(n_jobs=n_jobs, **options)(delayed(nested)(value) for value in (1, 2, "left alone"))
    finally:
        recording.reset(token)
    assert [value for value, _ in results] == [1, 2, "left alone"]
    assert {name for name, _, _ in watched.seen} == {"nested"}
    assert sorted(value for _, _, (value, _) in watched.seen) == [1, 2]
    assert all(context == (0, None) for _, _, (_, context) in watched.seen)


class Telling:
    """An observer that tells of itself in the result, for it is not the same object in another process."""

    def observer(self) -> Telling:
        return self

    def sent(self, function: Any, args: Any, kwargs: Any) -> Telling:
        return self

    def run(self, function: Any, args: Any, kwargs: Any) -> Any:
        return "observed", os.getpid(), inside.get(), function(*args, **kwargs)

    def ended(self, result: Any) -> None: ...

    def failed(self, error: BaseException) -> None: ...


def test_an_observer_goes_to_other_processes(on: None) -> None:
    token, level = recording.set(Telling()), inside.set(1)
    try:
        results = Parallel(n_jobs=2)(delayed(sqrt)(value) for value in (4, 9))
    finally:
        inside.reset(level)
        recording.reset(token)
    assert [(word, depth, value) for word, _, depth, value in results] == [("observed", 1, 2.0), ("observed", 1, 3.0)]
    assert all(pid != os.getpid() for _, pid, _, _ in results)


# -- in other processes ------------------------------------------------------------------------------------------------


def fits(number: int) -> list[Any]:
    return [delayed(LogisticRegression(C=n + 1).fit)([[0], [1], [2], [3]], [0, 1, 0, 1]) for n in range(number)]


def test_each_fit_in_a_worker_process_is_one_complete_run(
    on: None, runs: Runs, files: Callable[[str], set[str]]
) -> None:
    fitbook.autolog(log_plots=False, extra_tags={"team": "a"})
    fitbook.set_experiment("far away")
    models = Parallel(n_jobs=2)(fits(5))
    assert [model.C for model in models] == [1, 2, 3, 4, 5]
    found = runs()
    assert sorted(run.data.params["C"] for run in found) == ["1", "2", "3", "4", "5"]
    for run in found:
        assert run.info.status == "FINISHED"
        assert run.info.end_time is not None
        assert run.data.metrics["training_score"] >= 0.5
        assert run.data.tags["team"] == "a"
        assert run.data.tags["fitbook.data.shape"] == "4 x 1"
        assert "mlflow.parentRunId" not in run.data.tags
        assert {"model", "estimator.html"} <= files(run.info.run_id)
        assert fitbook.get_experiment(run.info.experiment_id).name == "far away"


def test_fits_in_workers_belong_to_the_run_that_is_active_where_they_were_sent_from(on: None, runs: Runs) -> None:
    with fitbook.start_run() as mine:
        Parallel(n_jobs=2)(fits(4))
        Parallel(n_jobs=2, backend="threading")(fits(2))
        LogisticRegression(C=99).fit([[0], [1], [2], [3]], [0, 1, 0, 1])
    found = {run.info.run_id: run for run in runs()}
    first = found.pop(mine.info.run_id)
    assert len(found) == 6
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {mine.info.run_id}
    everything = [first, *found.values()]
    assert sorted(run.data.params["C"] for run in everything) == ["1", "1", "2", "2", "3", "4", "99"]
    assert all("training_score" in run.data.metrics for run in everything)
    assert {run.info.status for run in everything} == {"FINISHED"}


def own_run(number: int) -> str:
    with fitbook.start_run(run_name=f"own {number}") as run:
        Ridge(alpha=number).fit([[0], [1]], [0, 1])
    fitbook.end_run()  # there is none
    return str(run.info.run_id)


def test_a_task_s_own_runs_are_begun_as_without_us(on: None, runs: Runs) -> None:
    with fitbook.start_run() as mine:
        ids = Parallel(n_jobs=2)(delayed(own_run)(n) for n in (1, 2))
        assert fitbook.active_run() is mine
    found = {run.info.run_id: run for run in runs()}
    assert set(found) == {mine.info.run_id, *ids}
    assert all("mlflow.parentRunId" not in found[run_id].data.tags for run_id in ids)
    assert [found[run_id].data.params["alpha"] for run_id in ids] == ["1", "2"]


def test_options_are_those_of_the_sender_at_that_time(
    on: None, runs: Runs, files: Callable[[str], set[str]], tmp_path: Path
) -> None:
    Parallel(n_jobs=2)(fits(2))
    fitbook.autolog(log_models=False, log_plots=False)
    Parallel(n_jobs=2)(fits(2))
    assert [("model" in files(run.info.run_id)) for run in runs()] == [True, True, False, False]
    fitbook.autolog(disable=True)
    Parallel(n_jobs=2)(fits(2))
    assert len(runs()) == 4
    fitbook.set_tracking_uri(tmp_path / "another")
    fitbook.autolog(log_plots=False)
    Parallel(n_jobs=2)(fits(2))
    assert len(runs()) == 2


def turned_off() -> None:
    fitbook.autolog(disable=True)
    Ridge().fit([[0], [1]], [0, 1])


def test_what_a_task_asks_for_itself_goes_before(on: None, runs: Runs) -> None:
    Parallel(n_jobs=2)([delayed(turned_off)()])
    assert runs() == []
    Parallel(n_jobs=2)(fits(3))
    assert len(runs()) == 3


def failing(kind: type[BaseException]) -> None:
    raise kind("the user's")


class Fails(Ridge):  # type: ignore[misc]
    def fit(self, X: Any, y: Any) -> Fails:
        failing(ZeroDivisionError)
        return self


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_errors_arrive_as_without_us(on: None, runs: Runs, backend: str) -> None:
    with pytest.raises(ZeroDivisionError, match="the user's") as raised:
        Parallel(n_jobs=2, backend=backend)([delayed(Fails().fit)([[0], [1]], [0, 1])])
    shown = "".join(traceback.format_exception(raised.value))
    assert "in failing" in shown
    assert "fitbook/" not in shown.replace(str(Path(__file__).parents[1]), "")
    assert "<fitbook" not in shown
    (run,) = runs()
    assert run.info.status == "FAILED"
    assert run.data.tags["fitbook.error"] == "ZeroDivisionError: the user's"


def test_an_error_of_the_user_s_generator_has_no_frame_of_ours(on: None) -> None:
    def tasks() -> Iterator[Any]:
        yield delayed(sqrt)(4)
        raise KeyError("the user's")

    with pytest.raises(KeyError) as raised:
        Parallel(n_jobs=2, backend="threading")(tasks())
    assert not [
        entry
        for entry in raised.traceback
        if "fitbook" in str(Path(entry.path).parent) and entry.path != Path(__file__)
    ]


# -- joblib as before --------------------------------------------------------------------------------------------------


def slowly() -> None:
    threading.Event().wait(60)


def noisy(value: int) -> int:
    warnings.warn("from a task", UserWarning, stacklevel=2)
    return value


def inner(number: int) -> list[float]:
    return list(Parallel(n_jobs=2)(delayed(sqrt)(number + n) for n in range(3)))


def told(capsys: pytest.CaptureFixture[str]) -> str:
    Parallel(n_jobs=2, backend="threading", verbose=100, batch_size=1)(delayed(sqrt)(n) for n in range(3))
    out, err = capsys.readouterr()
    return "".join(line.partition("| elapsed")[0] for line in sorted((out + err).splitlines()))


def timeout_of(backend: str) -> str:
    with pytest.raises(BaseException) as raised:
        Parallel(n_jobs=2, backend=backend, timeout=0.2)([delayed(slowly)()] * 2)
    return type(raised.value).__name__


# Since joblib 1.4.
UNORDERED = "generator" if joblib.__version__.startswith("1.3.") else "generator_unordered"
BEHAVIOURS: dict[str, Callable[..., Any]] = {
    "order": lambda: Parallel(n_jobs=2)(delayed(sqrt)(n) for n in range(50)),
    "generator": lambda: list(Parallel(n_jobs=2, return_as="generator")(delayed(sqrt)(n) for n in range(50))),
    "unordered": lambda: sorted(
        Parallel(n_jobs=2, backend="threading", return_as=UNORDERED)(delayed(sqrt)(n) for n in range(9))
    ),
    "abandoned generator": lambda: next(
        iter(Parallel(n_jobs=1, return_as="generator")(delayed(sqrt)(n) for n in (4, 9)))
    ),
    "batches": lambda: Parallel(n_jobs=2, batch_size=7, pre_dispatch="all")([delayed(sqrt)(n) for n in range(50)]),
    "nested": lambda: Parallel(n_jobs=2)(delayed(inner)(n) for n in (1, 2)),
    "nested in threads": lambda: Parallel(n_jobs=2, backend="threading")(delayed(inner)(n) for n in (1, 2)),
    "lambda": lambda: Parallel(n_jobs=2)(delayed(lambda n: n + 1)(n) for n in range(3)),
    "partial": lambda: Parallel(n_jobs=2)(delayed(partial(pow, 2))(n) for n in range(3)),
    "nothing": lambda: Parallel(n_jobs=2)([]),
    "used twice": lambda: (lambda p: [p([delayed(sqrt)(4)]), p([delayed(sqrt)(9)])])(
        Parallel(n_jobs=2, backend="threading")
    ),
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_joblib_does_what_it_does_without_us(behaviour: str) -> None:
    expected = BEHAVIOURS[behaviour]()
    fitbook.autolog()
    assert BEHAVIOURS[behaviour]() == expected


@pytest.mark.parametrize("bad", [5, None, [5], ["ab"], [(sqrt,)]])
def test_what_joblib_does_not_take_it_refuses_as_without_us(bad: Any) -> None:
    def refusal() -> tuple[type, str]:
        with pytest.raises((TypeError, ValueError)) as raised:
            Parallel(n_jobs=2, backend="threading")(bad)
        return type(raised.value), str(raised.value)

    expected = refusal()
    fitbook.autolog()
    assert refusal() == expected


def test_what_joblib_tells_and_when_it_gives_up_is_as_without_us(capsys: pytest.CaptureFixture[str]) -> None:
    expected = told(capsys), timeout_of("loky")
    fitbook.autolog()
    assert (told(capsys), timeout_of("loky")) == expected


def test_functions_that_joblib_remembers_are_remembered(tmp_path: Path, on: None) -> None:
    memory = joblib.Memory(tmp_path, verbose=0)
    remembered = memory.cache(slow_square)
    assert Parallel(n_jobs=2, backend="threading")(delayed(remembered)(n) for n in (1, 2)) == [1, 4]
    assert all(remembered.check_call_in_cache(n) for n in (1, 2))
    fitbook.autolog(disable=True)
    assert remembered.check_call_in_cache(1)


def slow_square(n: int) -> int:
    return n * n


@pytest.mark.parametrize("backend", ["threading", "sequential"])
def test_a_warning_of_a_task_comes_from_the_line_that_it_came_from(backend: str) -> None:
    def line() -> tuple[str, int]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Parallel(n_jobs=2, backend=backend)([delayed(noisy)(1)])
        return caught[0].filename, caught[0].lineno

    expected = line()
    fitbook.autolog()
    assert line() == expected


# -- where no fitbook is -----------------------------------------------------------------------------------------------

ELSEWHERE = """
import pickle, sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "fitbook":
            raise ModuleNotFoundError("No module named 'fitbook'")

sys.meta_path.insert(0, Nowhere())
for function, args, kwargs in pickle.load(open(sys.argv[1], "rb")):
    print(function(*args, **kwargs))
print([name for name in sys.modules if name.startswith("fitbook")])
"""


def test_a_task_runs_where_no_fitbook_is(on: None, tmp_path: Path) -> None:
    tasks = [*given([delayed(sqrt)(4)])]
    token, level = recording.set(Watched()), inside.set(1)
    tasks += given([delayed(sqrt)(9)])
    recording.reset(token)
    tasks += given([delayed(sqrt)(16)])
    inside.reset(level)
    assert all(isinstance(task[0], Task) for task in tasks)
    tasks[1] = (Task(sqrt, tasks[1][0].context, None), *tasks[1][1:])  # an observer of fitbook's own can't be tested so
    (tmp_path / "tasks").write_bytes(pickle.dumps(tasks))
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path / "tasks")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.split("\n"), done.stderr) == (["2.0", "3.0", "4.0", "[]", ""], "")


CLASS_OF_A_SCRIPT = """
import cloudpickle, fitbook, joblib
from sklearn.base import BaseEstimator

fitbook.autolog()

class Mine(BaseEstimator):
    def __init__(self, number=0):
        self.number = number

    def fit(self, X, y):
        return self

    def predict(self, X):
        return [0] * len(X)

copy = cloudpickle.loads(cloudpickle.dumps(Mine(1)))
copy.fit([[1]], [1])
Mine(2).fit([[1]], [1])
for numbers in ((3, 4, 5), (6, 7, 8)):
    joblib.Parallel(n_jobs=2)(joblib.delayed(Mine(n).fit)([[1]], [1]) for n in numbers)
Mine(9).fit([[1]], [1])
print(sorted(fitbook.search_runs()["params.number"]))
"""


def test_classes_of_a_script_are_recorded_wherever_they_have_been_sent(script: Callable[..., Any]) -> None:
    done = script(CLASS_OF_A_SCRIPT)
    assert (done.stdout, done.stderr) == (str([str(n) for n in range(1, 10)]) + "\n", "")
