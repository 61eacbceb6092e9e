from __future__ import annotations

import json
import os
import pickle
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fitbook
from fitbook._journal import Entry, Journal, append, path_of
from fitbook.autolog import _splits
from fitbook.autolog._splits import Split, encode, outcome, put
from fitbook.entities import RunDraft
from fitbook.store import open_store

RUN, CHILD = "a" * 32, "b" * 32


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    made = Journal(path_of(str(tmp_path / "fitbook.db"), RUN))
    yield made
    made.remove()
    assert not _splits._late


def entry(number: int) -> Entry:
    return Entry(CHILD, f"fitbook.split.{number}.0", '{"test":0.5}')


def score(result: Any) -> Any:
    if isinstance(result, BaseException):
        raise result
    return result


def test_a_split_is_noted_and_its_result_given(journal: Journal) -> None:
    split = Split((True, journal.path), RUN, CHILD, "fitbook.split.3.1", "key")
    result = {"test_scores": 0.5, "fit_time": 0.25, "score_time": 0.125, "n_test_samples": 7, "fit_error": None}
    assert split.run(score, (result,), {}) is result
    [(about, key, value)] = journal.read()
    assert (about, key) == (CHILD, "fitbook.split.3.1")
    note = json.loads(value)
    assert note.pop("start") <= note.pop("end")
    assert note == {
        "host": platform.node(),
        "pid": os.getpid(),
        "key": "key",
        "test": 0.5,
        "fit": 0.25,
        "score": 0.125,
        "n": 7,
    }


def test_what_a_split_raises_is_noted_and_raised(journal: Journal) -> None:
    split = Split((True, journal.path), RUN, CHILD, "fitbook.split.3.1", None)
    error = ValueError("no such thing")
    with pytest.raises(ValueError, match="no such thing") as raised:
        split.run(score, (error,), {})
    assert raised.value is error
    assert [frame.name for frame in raised.traceback] == [
        test_what_a_split_raises_is_noted_and_raised.__name__,
        "score",
    ]
    [noted] = journal.read()
    assert json.loads(noted.value)["error"] == "ValueError: no such thing"


def test_an_interrupt_is_no_result(journal: Journal) -> None:
    with pytest.raises(KeyboardInterrupt):
        Split((True, journal.path), RUN, CHILD, "fitbook.split.3.1", None).run(score, (KeyboardInterrupt(),), {})
    assert journal.read() == []


def test_what_can_t_be_written_now_goes_with_the_next(journal: Journal) -> None:
    place, away = (True, journal.path), f"{journal.path}-away"
    os.rename(journal.path, away)
    put(place, RUN, entry(0))
    put(place, RUN, entry(1))
    os.rename(away, journal.path)
    assert journal.read() == []
    put(place, RUN, entry(2))
    assert journal.read() == [entry(0), entry(1), entry(2)]


def test_of_what_waits_a_part_goes_with_each_next_one(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_splits, "_AT_ONCE", 2)
    place, away, tried = (True, journal.path), f"{journal.path}-away", list[Entry]()
    os.rename(journal.path, away)
    monkeypatch.setattr(_splits, "append", lambda path, each: (tried.append(each), append(path, each)))
    for number in range(5):
        put(place, RUN, entry(number))
    assert len(tried) == 5
    os.rename(away, journal.path)
    for number in range(5, 10):
        put(place, RUN, entry(number))
    assert sorted(journal.read()) == [entry(number) for number in range(10)]


def test_where_the_store_is_no_file_notes_are_tags(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    place = (False, tmp_path.as_uri())
    put(place, RUN, entry(0))  # the run is not there yet
    draft = RunDraft("0", RUN, "search", "ada", 0)
    store.create_runs([draft])
    put(place, RUN, entry(1))
    tags = store.get_run(RUN).data.tags
    assert {key: value for key, value in tags.items() if key.startswith("fitbook.split.")} == {
        entry(number).key: entry(number).value for number in (0, 1)
    }
    store.close()
    fitbook.flush()


def test_what_goes_to_a_worker_is_small() -> None:
    place = (True, f"/home/someone/{'x' * 60}/fitbook.db-notes-{RUN}")
    split = Split(place, RUN, CHILD, "fitbook.split.9999.4", "c" * 24)
    assert len(pickle.dumps(split)) < 500
    assert vars_of(pickle.loads(pickle.dumps(split))) == vars_of(split)


def vars_of(split: Split) -> list[Any]:
    return [getattr(split, name) for name in Split.__slots__]


def test_where_no_fitbook_is_there_is_nothing_to_note(tmp_path: Path) -> None:
    split = Split((True, "a"), RUN, CHILD, "fitbook.split.0.0", None)
    (tmp_path / "split.pickle").write_bytes(pickle.dumps(("a task", split)))
    read = "import pickle, sys; sys.modules['fitbook'] = None; print(pickle.load(open('split.pickle', 'rb')))"
    done = subprocess.run(
        [sys.executable, "-c", read], cwd=tmp_path, capture_output=True, text=True, check=False, env={}
    )
    assert (done.stdout, done.stderr) == ("('a task', None)\n", "")


@pytest.mark.parametrize(
    ("value", "noted"),
    [
        *((0.5, 0.5), (np.float32(0.5), 0.5), (np.float64(0.1), 0.1), (np.int64(3), 3), (True, 1)),
        *((float("nan"), None), (np.inf, None), ("x", None)),
    ],
)
def test_scores_of_any_kind_are_noted(value: Any, noted: Any) -> None:
    assert json.loads(encode(outcome({"test_scores": value}))) == {"test": noted}
    assert outcome({"test_scores": {"a": value}}) == {"test": {"a": noted}}


def test_a_failed_fit_is_noted_with_the_end_of_its_traceback() -> None:
    found = outcome({"test_scores": 0.0, "fit_error": f"{'x' * 10_000}ValueError: no"})
    assert found["error"].endswith("xValueError: no")
    assert len(found["error"]) < 3000
