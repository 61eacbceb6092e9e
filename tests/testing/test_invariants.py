"""The check of a tracking directory finds each kind of damage, and nothing in a sound one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression

import fitbook
from fitbook.testing.invariants import problems


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fitbook.set_tracking_uri(tmp_path)
    with fitbook.start_run():
        for step, value in enumerate((1.0, float("nan"), float("inf"), -2.0)):
            fitbook.log_metric("loss", value, step=step)
        fitbook.log_metric("only_nan", float("nan"))
        fitbook.log_text("text", "note.txt")
        fitbook.sklearn.log_model(LogisticRegression().fit([[1], [2]], [0, 1]), "model")
        fitbook.start_run(nested=True)
        fitbook.end_run()
    fitbook.tracking._backend.current().store.close()
    return tmp_path


def test_a_sound_store(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert problems(folder) == []
    assert problems(tmp_path_factory.mktemp("nothing")) == []


def changed(statement: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        connection = sqlite3.connect(folder / "fitbook.db")
        with connection:
            assert connection.execute(statement).rowcount > 0
        connection.close()

    return change


def on_files(name: str, do: Callable[[Path], object]) -> Callable[[Path], None]:
    return lambda folder: [do(file) for file in (folder / "artifacts").rglob(name)] and None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (changed("UPDATE metrics SET value = 7 WHERE key = 'loss'"), "metric without such points"),
        (changed("UPDATE metrics SET lowest = -1 WHERE key = 'loss'"), "points without such a metric"),
        (changed("DELETE FROM metrics WHERE key = 'only_nan'"), "points without such a metric"),
        (changed("UPDATE runs SET status = 'RUNNING'"), "RUNNING for ever"),
        (changed("DELETE FROM tags WHERE run = 1"), "a run without its tags"),
        (changed("UPDATE runs SET parent_run_id = 'gone' WHERE parent_run_id <> ''"), "a child without its parent"),
        (changed("UPDATE params SET run = 99"), "foreign key"),
        (on_files("note.txt", lambda file: file.write_text("half")), "a file is not what is noted"),
        (on_files("note.txt", Path.unlink), "a file is noted and not there"),
        (on_files("MLmodel", Path.unlink), "a model is noted and has no MLmodel"),
        (on_files("model.pkl", lambda file: file.write_bytes(b"half")), "a model is not what is noted"),
    ],
)
def test_damage_is_found(folder: Path, break_it: Callable[[Path], None], said: str) -> None:
    if "params" in said or said == "foreign key":
        fitbook.MlflowClient().log_param(fitbook.search_runs(output_format="list")[0].info.run_id, "p", 1)
        fitbook.tracking._backend.current().store.close()
    break_it(folder)
    assert any(problem.startswith(said) for problem in problems(folder)), problems(folder)


def test_a_damaged_database_is_found(folder: Path) -> None:
    with (folder / "fitbook.db").open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 4096)
    assert [problem.partition(":")[0] for problem in problems(folder)] == ["integrity"]
