"""Tables whose blocks and categories are somewhere else than there."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas._libs.internals import _unpickle_block
from pandas.core.indexes.base import _new_Index
from pandas.core.internals.managers import BlockManager

from fitbook.errors import UntrustedModel
from fitbook.flavors._trust import loads


class By:
    """Pickled as a call of what it is given, with a state."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


def block(values: Any, places: Any, dimensions: int = 2) -> By:
    return By(_unpickle_block, (values, places, dimensions))


AXES = [pd.RangeIndex(1), pd.RangeIndex(3)]
ONE = np.ones((1, 3))


@pytest.mark.parametrize(
    ("made", "match"),
    [
        ((block(ONE, slice(10**6, 10**6 + 1, 1)),), "at places"),
        ((block(ONE, slice(10**12, 10**12 + 1, 1)),), "nowhere"),
        ((block(ONE, slice(-1, 0, 1)),), "nowhere"),
        ((block(ONE, slice(0, 10**9, 1)),), "nowhere"),
        ((block(ONE, slice(0, 2, 1)),), "does not fit"),
        ((block(ONE, np.array([5])),), "at places"),
        ((block(ONE, slice(0, 1, 1)), block(ONE, slice(0, 1, 1))), "at places"),
        ((block(ONE[0], slice(0, 1, 1), 1),), "another dimension"),
        ((ONE,), "a block that is none"),
    ],
)
def test_each_column_is_at_one_place(made: Any, match: str) -> None:
    for protocol in (4, 5):
        with pytest.raises(UntrustedModel, match=match):
            loads(pickle.dumps(By(BlockManager, (made, AXES)), protocol=protocol), source="there")


def test_codes_are_of_categories_that_there_are() -> None:
    with pd.option_context("mode.string_storage", "python"):
        column = pd.Categorical(["u", "v", None])
        for protocol in (4, 5):
            loaded: Any = loads(pickle.dumps(column, protocol=protocol), source="here")
            assert loaded.equals(column)
        make, args, state = column.__reduce__()
        for codes in (np.array([0, 2], np.int8), np.array([-2], np.int8), np.zeros(2), np.zeros((2, 1), np.int8)):
            with pytest.raises(UntrustedModel, match="categories that are none"):
                loads(pickle.dumps(By(make, args, (state[0], codes))), source="there")
        with pytest.raises(UntrustedModel, match="more than it has"):
            loads(pickle.dumps(By(make, args, (*state[:2], {"_codes": 1}))), source="there")
        with pytest.raises(UntrustedModel, match="in an odd way"):
            loads(pickle.dumps(By(make, (*args[:2], state))), source="there")
        with pytest.raises(UntrustedModel, match="never filled"):
            loads(pickle.dumps(By(make, args)), source="there")


def test_an_index_is_made_of_an_array() -> None:
    for data in (range(10**6), [1, 2], {"a": 1}):
        with pytest.raises(UntrustedModel):
            loads(pickle.dumps(By(_new_Index, (pd.Index, {"data": data, "name": None}))), source="there")
    with pytest.raises(UntrustedModel, match="for others"):
        loads(pickle.dumps(By(_new_Index, (pd.Categorical, {"values": np.ones(3)}))), source="there")


def test_a_table_is_managed_by_a_manager() -> None:
    with pd.option_context("mode.string_storage", "python"):
        table = pd.DataFrame({"a": [1, 2], "b": ["u", "v"], "c": [0.5, 1.5], "d": pd.Categorical(["u", "v"])})
        table["e"] = table["a"] + 1
        for value in (table, table["a"], table["b"], table[["c", "a"]], table.iloc[:0], pd.DataFrame()):
            for protocol in (4, 5):
                assert loads(pickle.dumps(value, protocol=protocol), source="here").equals(value)  # type: ignore[attr-defined]
    odd = pickle.dumps(table["a"]).replace(b"pandas.core.series", b"pandas.core.frame ").replace(b"Series", b"DataFr")
    with pytest.raises(UntrustedModel):
        loads(odd, source="there")
