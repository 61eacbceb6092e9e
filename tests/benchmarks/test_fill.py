"""Filling a store leaves exactly what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.fill import METRICS, PARAMS, TAGS, drafts, fill
from fitbook.entities import RunStatus
from fitbook.store import open_store

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fill.py"


def test_fifty_runs_are_there_with_all_that_belongs_to_them(tmp_path: Path) -> None:
    store = open_store(tmp_path / "runs")
    fill(store, 50, experiment="many", batch=20)
    experiment = store.get_experiment_by_name("many")
    assert experiment is not None
    runs = store.search_runs([experiment.experiment_id])
    store.close()
    assert len({run.info.run_id for run in runs}) == 50
    for run in runs:
        assert run.info.status == RunStatus.FINISHED
        assert sorted(run.data.params) == sorted(PARAMS)
        assert all(len(value) == 1 and value.isdigit() for value in run.data.params.values())
        assert sorted(run.data.metrics) == sorted(METRICS)
        assert all(0 <= value < 1 for value in run.data.metrics.values())
        assert sorted(run.data.tags.keys() & TAGS) == TAGS


def test_a_store_can_be_filled_twice(tmp_path: Path) -> None:
    store = open_store(tmp_path / "runs")
    fill(store, 3)
    fill(store, 4)
    experiment = store.get_experiment_by_name("filled")
    assert experiment is not None
    assert len(store.search_runs([experiment.experiment_id])) == 7
    store.close()


def test_the_seed_decides_the_contents_but_not_the_ids() -> None:
    one, same, other = (list(drafts(5, "0", seed)) for seed in (1, 1, 2))
    assert [run.params for run in one] == [run.params for run in same]
    assert [run.params for run in one] != [run.params for run in other]
    assert not {run.run_id for run in one} & {run.run_id for run in same}


def test_the_command_says_how_fast_it_was(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--runs", "7", "--uri", f"sqlite:///{tmp_path / 'runs.db'}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.startswith("7 runs in ")
    assert done.stdout.rstrip().endswith("runs/s")
