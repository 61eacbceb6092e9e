"""Objects that are built in another way than their classes do, or whose state says one thing twice, pass no check by."""

from __future__ import annotations

import copyreg
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pandas.core.indexes.base import _new_Index
from scipy import sparse, stats
from sklearn.metrics._dist_metrics import newObj

from fitbook.errors import UntrustedModel
from fitbook.flavors._trust import loads

NORMAL = type(stats.norm)


class By:
    """Pickled as a call of what it is given, with a state."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


class Normal(By):
    """The same, to be made as a distribution is."""

    __class__ = property(lambda self: NORMAL)  # type: ignore[assignment]


def evil(canary: Path) -> str:
    return f"open({str(canary)!r}, 'w')\ndef _parse_args(self): return (), 0, 1\n"


@pytest.mark.parametrize(
    ("make", "args"),
    [
        (copyreg._reconstructor, (NORMAL, object, None)),  # type: ignore[attr-defined]
        (newObj, (NORMAL,)),
        (_new_Index, (NORMAL, {})),
    ],
    ids=["_reconstructor", "newObj", "_new_Index"],
)
def test_a_distribution_brings_no_code_however_it_is_built(make: Any, args: Any, tmp_path: Path) -> None:
    state = {"_parse_arg_template": evil(tmp_path / "canary")}
    for protocol in (4, 5):
        with pytest.raises(UntrustedModel, match="norm_gen"):  # no value, either
            loads(pickle.dumps(By(make, args, state), protocol=protocol), source="there")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.coo_array])
def test_what_has_a_check_is_built_by_its_class_only(kind: type) -> None:
    made = By(copyreg._reconstructor, (kind, object, None), {"data": 1})  # type: ignore[attr-defined]
    with pytest.raises(UntrustedModel):
        loads(pickle.dumps(made), source="there")


def test_a_name_that_is_equal_to_another_hides_nothing(tmp_path: Path) -> None:
    norm = stats.norm
    name = "_parse_arg_template"
    state = {**norm.__getstate__(), By(*np.str_(name).__reduce__()): evil(tmp_path / "canary")}  # type: ignore[misc]
    for protocol in (4, 5):
        assert loads(pickle.dumps(norm, protocol=protocol), source="there") is not None
        with pytest.raises(UntrustedModel, match="no plain text"):
            loads(pickle.dumps(Normal(copyreg.__newobj__, (NORMAL,), state), protocol=protocol), source="there")  # type: ignore[attr-defined]
    assert not (tmp_path / "canary").exists()
