from __future__ import annotations

import gc
import logging
import pickle
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Iterator

import cloudpickle
import pytest

from fitbook._log import FitbookWarning
from fitbook.autolog import _guard
from fitbook.autolog._guard import OURS, inside, quietly, say, start_over, suppressed, swallowed, told
from fitbook.errors import StoreUnavailable


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    start_over(silent=False)
    yield
    start_over(silent=False)


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.swallows
def test_an_ordinary_error_is_swallowed_noted_and_told_once_at_the_user_s_line() -> None:
    with pytest.warns(FitbookWarning, match="counting sheep failed.*ValueError: 3") as raised:  # noqa: PT031
        for _ in range(3):
            with quietly("counting sheep") as guard:
                raise ValueError("3\nand more")
            assert isinstance(guard.failed, ValueError)
    assert [w.filename for w in raised] == [__file__]
    assert "and more" not in str(raised[0].message)
    assert [doing for doing, _ in swallowed] == ["counting sheep"] * 3


def unavailable(text: str, cause: Exception) -> StoreUnavailable:
    error = StoreUnavailable(text)
    error.__cause__ = cause
    return error


@pytest.mark.swallows
def test_a_disk_in_trouble_is_told_of_once_however_many_files_it_costs() -> None:
    full = unavailable("The store can't be used: database or disk is full.", ValueError())
    errors = [unavailable(f"The artifact {n} can't be used", OSError(28, "No space left on device")) for n in range(2)]
    with pytest.warns(FitbookWarning, match="The artifact 0 can't be used") as raised:  # noqa: PT031
        for number, error in enumerate((*errors, full)):
            with quietly(f"writing {number}"):
                raise error
    assert len(raised) == 1
    with pytest.warns(FitbookWarning, match="denied") as raised:  # noqa: PT031
        for n in range(2):
            with quietly(f"replacing {n}"):
                raise unavailable(f"The artifact {n} is denied", OSError(13, "Permission denied"))
    assert len(raised) == 1
    with pytest.warns(FitbookWarning, match="no such column"), quietly("looking"):
        raise unavailable("no such column", ValueError())


@pytest.mark.swallows
def test_an_error_without_text_is_swallowed_too() -> None:
    with pytest.warns(FitbookWarning, match="Mute"), quietly("being quiet"):
        raise Mute
    assert "Mute" in told(Mute())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_program_passes(kind: type[BaseException]) -> None:
    with pytest.raises(kind), quietly("being interrupted"):
        raise kind
    assert not swallowed


def test_nothing_happens_when_nothing_fails() -> None:
    with quietly("working") as guard:
        pass
    assert guard.failed is None


def test_warnings_as_errors_become_a_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        say("the disk is full")
    assert capsys.readouterr() == ("", "fitbook: the disk is full\n")


def test_each_text_is_said_once_until_autologging_starts_over() -> None:
    with pytest.warns(FitbookWarning) as raised:  # noqa: PT031
        say("a")
        say("a")
        say("different words", once="a")
        say("b")
        start_over(silent=False)
        say("a")
    assert [str(w.message) for w in raised] == ["fitbook: a", "fitbook: b", "fitbook: a"]


def test_a_thread_of_its_own_warns_at_fitbook_and_one_of_the_user_s_at_the_user_s_line() -> None:
    def users() -> None:
        say("in the user's thread")

    def told_by(target: object, *arguments: object) -> str:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            thread.start()
            thread.join()
        return warned[0].filename

    assert told_by(say, "in a thread of fitbook's") == _guard.__file__
    assert told_by(users) == __file__


def test_silent_says_nothing() -> None:
    start_over(silent=True)
    say("a")  # a warning would be an error here


@pytest.mark.swallows
def test_debugging_prints_the_whole_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FITBOOK_DEBUG", "1")
    start_over(silent=True)
    with quietly("x"):
        raise ValueError("deep down")
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.swallows
def test_the_logger_is_told_at_debug_level(caplog: pytest.LogCaptureFixture) -> None:
    start_over(silent=True)
    with caplog.at_level(logging.DEBUG, "fitbook"), quietly("x"):
        raise ValueError("deep down")
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


def test_suppressed_hides_the_warnings_of_what_fitbook_calls_but_not_its_own() -> None:
    before = list(warnings.filters)
    with pytest.warns(FitbookWarning, match="ours") as raised, suppressed():  # noqa: PT031
        assert inside.get() == OURS
        warnings.warn("not of the user's making", FutureWarning, stacklevel=1)
        warnings.warn("nor this", DeprecationWarning, stacklevel=1)
        say("ours")
    assert len(raised) == 1
    assert inside.get() == 0
    assert list(warnings.filters) == before


def test_suppressed_leaves_the_warnings_of_a_fit_in_another_thread_alone() -> None:
    # The background writer works while the user's next fit warns.
    entered, go_on = threading.Event(), threading.Event()

    def background() -> None:
        with suppressed():
            entered.set()
            assert go_on.wait(10)

    thread = threading.Thread(target=background)
    thread.start()
    assert entered.wait(10)
    token = inside.set(_guard.RECORDED)
    with pytest.warns(UserWarning, match="the user's"):
        warnings.warn("the user's", UserWarning, stacklevel=1)
    inside.reset(token)
    go_on.set()
    thread.join()


def test_suppressed_survives_filters_being_reset_meanwhile() -> None:
    with warnings.catch_warnings():
        with suppressed():
            warnings.resetwarnings()
        assert warnings.filters == []


def test_suppressed_takes_its_filter_out_of_copies_too() -> None:
    with warnings.catch_warnings():
        before = list(warnings.filters)
        with suppressed(), suppressed():
            catcher = warnings.catch_warnings()
            catcher.__enter__()  # as if in another thread, and not the first one to enter
            assert len(warnings.filters) == len(before) + 2
        assert warnings.filters == before


def test_filters_can_be_sent_to_where_no_fitbook_is() -> None:
    with suppressed():
        sent = pickle.dumps(warnings.filters), cloudpickle.dumps(warnings.filters)
    read = "import pickle, sys; print(pickle.load(sys.stdin.buffer)[0], [m for m in sys.modules if m.startswith('fitbook')])"
    for data in sent:
        done = subprocess.run([sys.executable, "-c", read], input=data, capture_output=True, check=True)
        assert done.stdout.decode().strip() == "('ignore', None, <class '__main__._WarnedByUs'>, None, 0) []"


@pytest.mark.parametrize(
    ("name", "ours"),
    [("sklearn.base", True), ("fitbook", True), ("joblib.parallel", True), ("sklearnex", False), (None, False)]
    + [("sklearn.tests.test_base", False), ("sklearn.utils._mocking", False)],
)
def test_libraries_are_told_from_the_user_s_program(name: str | None, ours: bool) -> None:
    assert _guard.is_library(name) is ours


def test_what_was_swallowed_keeps_nothing_of_the_user_s_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    class Data:
        pass

    def calls() -> weakref.ref[Data]:
        data = Data()
        with quietly("counting sheep"):
            raise ValueError("one is missing")
        return weakref.ref(data)

    monkeypatch.setattr(_guard, "keeps_swallowed", False)
    with pytest.warns(FitbookWarning):
        reference = calls()
    gc.collect()
    assert reference() is None
