"""Runs for tests of stores, and how many examples of a property a store is asked for."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import HealthCheck, settings

from fitbook.entities import Run, RunDraft
from fitbook.store import DEFAULT_EXPERIMENT_ID, Store

START = 1_700_000_000_000

# One store serves all examples of a property: each writes to a run of its own.
many_examples = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


def draft(number: int = 1, **more: Any) -> RunDraft:
    """Prepare a run that began ``number`` seconds after `START`."""
    values: dict[str, Any] = {
        "experiment_id": DEFAULT_EXPERIMENT_ID,
        "run_id": uuid.uuid4().hex,
        "run_name": f"run-{number}",
        "user_id": "ada",
        "start_time": START + number * 1000,
    }
    return RunDraft(**values | more)


def begin(store: Store, number: int = 1, **more: Any) -> str:
    """Write a run and return its id."""
    made = draft(number, **more)
    store.create_runs([made])
    return made.run_id


def names_of(runs: list[Run]) -> list[str]:
    """The names of runs, in their order."""
    return [run.info.run_name for run in runs]
