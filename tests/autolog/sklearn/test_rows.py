from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

from fitbook.autolog.sklearn._rows import hashes, rows_of

TABLE = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, -0.0]])


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        np.asfortranarray(TABLE),
        TABLE.astype(int),
        pd.DataFrame(TABLE, columns=["a", "b"]),
        TABLE.tolist(),
        list(TABLE),
    ],
    ids=lambda data: type(data).__name__,
)
def test_rows_of_tables_are_numbers(data: Any) -> None:
    rows = rows_of(data)
    assert rows is not None
    assert (rows.n_rows, rows.n_columns, rows.is_table) == (5, 2, True)
    assert rows.values(5).tolist() == TABLE.tolist()
    assert rows.values(2).tolist() == TABLE[[0, 3]].tolist()
    assert rows.values(3, [1]).tolist() == TABLE[[0, 2, 4], 1:].tolist()
    drawn = rows.values(3, at_random=True)
    assert len(drawn) <= 3
    assert {tuple(row) for row in drawn.tolist()} <= {tuple(row) for row in TABLE.tolist()}
    assert rows.name(1) == ("'b'" if isinstance(data, pd.DataFrame) else "column 1")


@pytest.mark.parametrize(
    "data", [["a", "b", "a"], np.array(["a", "b", "a"]), pd.Series(["a", "b", "a"]), pl.Series(["a", "b", "a"])]
)
def test_equal_texts_are_equal_numbers(data: Any) -> None:
    rows = rows_of(data)
    assert rows is not None
    assert not rows.is_table
    values = rows.values(3)[:, 0]
    assert values[0] == values[2] != values[1]
    assert values.tolist() == rows_of(["a", "b", "a"]).values(3)[:, 0].tolist()  # type: ignore[union-attr]


def test_what_is_missing_is_not_a_number() -> None:
    frame = pd.DataFrame(
        {
            "object": ["a", None],
            "Int64": pd.array([1, None], dtype="Int64"),
            "category": pd.Categorical(["a", None]),
            "date": pd.to_datetime(["2026-01-01", None]),
        }
    )
    assert np.isnan(rows_of(frame).values(2)[1, :3]).all()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "data", [None, 5, scipy.sparse.eye(3, format="csr"), np.zeros((2, 2, 2)), [], iter([1]), {"a": 1}]
)
def test_other_things_have_no_rows(data: Any) -> None:
    assert rows_of(data) is None


def hashed(data: Any) -> Any:
    rows = rows_of(data)
    assert rows is not None
    return hashes(rows)


def test_equal_rows_are_known_in_any_container_and_no_others() -> None:
    X = np.random.default_rng(0).integers(0, 16, (1_500, 64)).astype(float)  # as pixels are
    X[3, 5], X[700, 0] = np.nan, -0.0
    one = hashed(X)
    assert len(set(one.values.tolist())) == 1_500
    for other in (np.asfortranarray(X), pd.DataFrame(X), X.astype(np.float32), X.tolist()):
        assert one.count(hashed(other)) == len(hashed(other).values)
    changed = X.copy()
    changed[:, 17] += 1
    assert one.count(hashed(changed)) == 0
    assert one.count(hashed(X[1_000:])) == 500


def test_many_rows_are_drawn_and_none_of_the_data_is_kept() -> None:
    X = np.random.default_rng(0).normal(size=(40_000, 20))
    some = hashed(X)
    assert 4_000 < len(some.values) <= 5_000
    assert some.share == len(some.values) / 40_000
    expected = some.share * len(hashed(X[20_000:]).values)
    assert 0.7 * expected < some.count(hashed(X[20_000:])) < 1.3 * expected


def test_rows_of_few_values_repeat_by_nature() -> None:
    rng = np.random.default_rng(0)
    flags = rng.integers(0, 2, (500, 4)).astype(float)
    drawn_twice = rng.normal(size=(300, 4))[rng.integers(0, 300, 500)]
    assert hashed(flags).repeat_by_nature
    assert not hashed(drawn_twice).repeat_by_nature
    assert not hashed(rng.normal(size=(500, 4))).repeat_by_nature
