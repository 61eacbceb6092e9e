from __future__ import annotations

from collections import OrderedDict
from typing import Any, cast

import pytest

from fitbook.autolog.sklearn import _evaluations
from fitbook.tracking._run import RunHandle


def test_what_is_written_is_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_evaluations, "_written", OrderedDict())
    monkeypatch.setattr(_evaluations, "_MAX_WRITTEN", 10)
    run = RunHandle(cast("Any", None), "0" * 32)
    for number in range(300):
        assert _evaluations._take(run, "a", f"X{number}", (number,)) == 1
        assert _evaluations._take(run, "a", f"X{number}", (number,)) is None
        assert _evaluations._take(run, "b", "X", (number,)) == number + 1
    assert len(_evaluations._written) == 10
    assert len(_evaluations._written[run.run_id, "b", "X"].marks) == 100
