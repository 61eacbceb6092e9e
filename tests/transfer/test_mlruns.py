from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fitbook.entities import Experiment
from fitbook.transfer._mlruns import MlrunsSource
from fitbook.transfer._records import Problem, RunRecord


def read(root: Path) -> tuple[list[Experiment], dict[str, RunRecord], list[Problem]]:
    source = MlrunsSource(root)
    experiments, runs, problems = [], {}, []
    for experiment in source.experiments():
        if isinstance(experiment, Problem):
            problems.append(experiment)
            continue
        experiments.append(experiment)
        for record in source.runs(experiment):
            if isinstance(record, Problem):
                problems.append(record)
            else:
                runs[record.draft.run_id] = record
                problems += record.problems
    problems += [model for model in source.models() if isinstance(model, Problem)]
    return experiments, runs, problems


@pytest.fixture
def root(theirs: Any, mlruns: Any, tmp_path: Path) -> Path:
    return mlruns(theirs, tmp_path / "mlruns")  # type: ignore[no-any-return]


def test_a_whole_folder_has_no_problems(root: Path) -> None:
    experiments, runs, problems = read(root)
    assert ([e.experiment_id for e in experiments], len(runs), problems) == (["0", "1", "2"], 6, [])


def test_a_meta_file_cut_anywhere_costs_that_run_only_and_gives_no_wrong_one(root: Path, run_id: Any) -> None:
    meta = root / "1" / run_id(1) / "meta.yaml"
    content = meta.read_bytes()
    whole = read(root)[1][run_id(1)].draft
    last = content.index(b"\nuser_id")  # after it, nothing is lost that other files do not say
    for cut in range(0, last, 7):
        meta.write_bytes(content[:cut])
        _, runs, problems = read(root)
        found = runs.pop(run_id(1), None)
        assert len(runs) == 5
        if found is None:
            assert [(p.kind, p.key) for p in problems] == [("run", run_id(1))]
        else:
            assert (found.draft.start_time, found.draft.run_id) == (whole.start_time, whole.run_id)


@pytest.mark.parametrize("damage", [b"", b"\x00\xff", b"- 1", b"name: [", b"status: 9"])
def test_damaged_meta_files_are_named(root: Path, run_id: Any, damage: bytes) -> None:
    (root / "0" / "meta.yaml").write_bytes(damage)
    (root / "1" / run_id(1) / "meta.yaml").write_bytes(damage)
    (root / "models" / "churn" / "meta.yaml").write_bytes(damage)
    experiments, runs, problems = read(root)
    assert (len(experiments), len(runs)) == (2, 5)
    named = {(p.kind, p.key) for p in problems}
    assert named == {("experiment", "0"), ("run", run_id(1)), ("registered model", "churn")}
    assert all(problem.reason for problem in problems)


def test_a_folder_with_the_meta_file_of_another_run_is_named(root: Path, run_id: Any) -> None:
    first, second = (root / "1" / run_id(number) / "meta.yaml" for number in (1, 2))
    second.write_bytes(first.read_bytes())
    _, runs, [problem] = read(root)
    assert (problem.key, len(runs)) == (run_id(2), 5)
    assert run_id(1) in problem.reason


def test_meta_files_run_no_code(root: Path, run_id: Any, tmp_path: Path) -> None:
    (root / "1" / run_id(1) / "meta.yaml").write_text(f"!!python/object/apply:os.mkdir ['{tmp_path}/made']")
    assert len(read(root)[1]) == 5
    assert not (tmp_path / "made").exists()


def test_a_line_that_is_no_point_is_named_and_the_rest_is_read(root: Path, run_id: Any) -> None:
    file = root / "1" / run_id(1) / "metrics" / "loss"
    file.write_bytes(b"1 0.5 0\nnot a point\n2 0.25\n\n3 0.1 2 wine d1\n4 0.\xff")
    _, runs, problems = read(root)
    points = [(m.timestamp, m.value, m.step) for m in runs[run_id(1)].draft.metrics if m.key == "loss"]
    assert points == [(1, 0.5, 0), (2, 0.25, 0), (3, 0.1, 2)]
    assert [(p.kind, p.key, p.reason[:6]) for p in problems] == [
        ("metric point", f"{run_id(1)}/loss", "line 2"),
        ("metric point", f"{run_id(1)}/loss", "line 4"),
        ("metric point", f"{run_id(1)}/loss", "line 6"),
    ]


def test_links_are_not_followed(root: Path, run_id: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not theirs")
    (root / "1" / run_id(1) / "params" / "stolen").symlink_to(tmp_path / "secret")
    (root / "7").symlink_to(tmp_path)
    experiments, runs, _ = read(root)
    assert "stolen" not in runs[run_id(1)].draft.params
    assert len(experiments) == 3


def test_runs_of_mlflow_1_have_their_name_and_user_in_tags(root: Path, run_id: Any) -> None:
    folder = root / "1" / run_id(1)
    (folder / "meta.yaml").write_text(f"run_uuid: '{run_id(1)}'\nstart_time: 5\nstatus: 4\nname: ''\n")
    (folder / "tags" / "mlflow.runName").write_text("old")
    draft = read(root)[1][run_id(1)].draft
    assert (draft.run_name, draft.user_id, draft.status, draft.start_time) == ("old", "ada", "FAILED", 5)


def test_values_are_read_to_the_byte(root: Path, run_id: Any) -> None:
    text = "a\r\nb\n\n ü\t"
    (root / "1" / run_id(1) / "params" / "lr").write_bytes(text.encode())
    assert read(root)[1][run_id(1)].draft.params["lr"] == text
