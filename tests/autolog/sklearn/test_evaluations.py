from __future__ import annotations

from collections import OrderedDict
from typing import Any, cast

import numpy as np
import pytest

from fitbook.autolog.sklearn import _evaluations
from fitbook.tracking._run import RunHandle


def test_an_evaluation_is_known_again_by_a_few_bytes() -> None:
    def mark(**given: Any) -> bytes:
        return _evaluations._mark("run", "f1_score", _evaluations._told(given), [float("nan"), 0.5])

    long = "x" * 1_000_000
    assert len(mark(labels=long)) == 16
    assert mark(labels=long, y=[1, 2]) == mark(y=np.array([1, 2]), labels=long, digits=3)
    assert mark(pos_label=1) == mark(pos_label=np.int64(1)) != mark(pos_label="1")
    assert mark(labels=long) != mark(labels=long + "x")
    assert mark(y=object()) != mark(y=object())  # can't be read


def test_what_is_written_is_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_evaluations, "_written", OrderedDict())
    monkeypatch.setattr(_evaluations, "_MAX_WRITTEN", 10)
    run = RunHandle(cast("Any", None), "0" * 32)
    for number in range(300):
        assert _evaluations._take(run, "a", f"X{number}", str(number).encode()) == 1
        assert _evaluations._take(run, "a", f"X{number}", str(number).encode()) is None
        assert _evaluations._take(run, "b", "X", str(number).encode()) == number + 1
    assert len(_evaluations._written) == 10
    assert len(_evaluations._written[run.run_id, "b", "X"].marks) == 100
