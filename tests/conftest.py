from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest_plugins = ["fitbook.testing.servers"]
pytest.register_assert_rewrite("fitbook.testing")

from fitbook import settings  # noqa: E402
from fitbook.autolog import _guard, autolog  # noqa: E402
from fitbook.store import _database  # noqa: E402
from fitbook.testing.fixtures import swallowed_fails  # noqa: E402, F401
from fitbook.tracking import _active, _backend  # noqa: E402
from fitbook.tracking._lease import leases  # noqa: E402
from fitbook.tracking._writer import writer  # noqa: E402

if "mix_stderr" in inspect.signature(CliRunner).parameters:  # click 8.1 gives errors apart, or in the output: here both
    CliRunner.__init__ = functools.partialmethod(CliRunner.__init__, mix_stderr=False)  # type: ignore[method-assign]
    Result.output = property(lambda self: self.stdout + self.stderr)  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def isolated(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    swallowed_fails: None,  # noqa: F811
) -> Iterator[None]:
    """Give each test a store, settings and tracking state of its own; leave nothing to the next."""
    for setting in settings.ALL:
        monkeypatch.delenv(setting.name, raising=False)
    # The first tell the suite what to run, and were read when it was collected; the second are options of `autolog`.
    for name in [name for name in os.environ if name.startswith(("FITBOOK_TEST_", "FITBOOK_AUTOLOG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(settings.TRACKING_URI.name, str(tmp_path / "fitbook-runs"))
    monkeypatch.setattr(_backend, "_opened", {})
    monkeypatch.setattr(_backend, "_chosen_uri", None)
    monkeypatch.setattr(_backend, "_pinned", {})
    monkeypatch.setattr(_backend, "_chosen_experiment", None)
    monkeypatch.setenv(settings.KEY_FILE.name, str(tmp_path_factory.getbasetemp() / "own-models.key"))
    _forget_runs()
    yield
    if "fitbook.autolog._switch" in sys.modules:
        autolog(disable=True)
    _guard.start_over(silent=False)
    writer.flush()
    _forget_runs()
    for database in list(_database._databases):
        database.close()


def _forget_runs() -> None:
    leases.forget()
    _active.set_stack(())
    _active._last_anywhere = None
    vars(_active._last).clear()
