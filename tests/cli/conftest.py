from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fitbook.cli.main import main
from fitbook.entities import Metric, RunDraft, RunStatus
from fitbook.tracking._backend import Backend, open_backend

START = 1_700_000_000_000


def _draft(number: int, **more: Any) -> RunDraft:
    values: dict[str, Any] = {
        "experiment_id": "0",
        "run_id": f"{number:02d}" * 16,
        "run_name": f"run-{number}",
        "user_id": "ada",
        "start_time": START + number * 1000,
        "end_time": START + number * 1000 + 1500,
        "status": RunStatus.FINISHED,
    }
    points = [Metric(key, value, START, 0) for key, value in more.pop("metrics", {}).items()]
    return RunDraft(**values | {"metrics": points} | more)


@pytest.fixture
def draft() -> Callable[..., RunDraft]:
    """Make a finished run of 1.5 seconds; number 1 is ``run-1`` with the id ``0101…``, and so on."""
    return _draft


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "book")


@pytest.fixture
def backend(uri: str) -> Iterator[Backend]:
    """A store that exists and holds nothing."""
    backend = open_backend(uri)
    yield backend
    backend.store.close()


@pytest.fixture
def fitbook(uri: str) -> Callable[..., Result]:
    """Run ``fitbook --tracking-uri <uri> …`` in this process."""

    def call(*arguments: str, expect: int = 0) -> Result:
        result = CliRunner().invoke(main, ["--tracking-uri", uri, *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == expect, result.output
        return result

    return call
