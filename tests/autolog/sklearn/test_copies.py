from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fitbook.autolog.sklearn import _copies
from fitbook.autolog.sklearn._copies import Copies

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 300)
FLOATS = RNG.normal(size=300)
WORDS = np.array(["no", "yes", "maybe"])[RNG.integers(0, 3, 300)]
PROBA = RNG.dirichlet([1, 1, 1], 300)


@pytest.fixture
def copies() -> Copies:
    made = Copies()
    for name, values in (("labels", LABELS), ("floats", FLOATS), ("words", WORDS), ("proba", PROBA)):
        made.note(values, name, np.array(["a", "b", "c"]))
    return made


def frame(values: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": range(300), "p": values}, index=[f"row {i}" for i in range(300)])


@pytest.mark.parametrize(("name", "values"), [("labels", LABELS), ("floats", FLOATS), ("words", WORDS)])
@pytest.mark.parametrize(
    "same",
    [
        lambda v: v.copy(),
        lambda v: v.tolist(),
        lambda v: tuple(v.tolist()),
        lambda v: v.astype(object),
        lambda v: v.reshape(-1, 1).copy(),
        lambda v: frame(v)["p"],
        lambda v: frame(v)[["p"]],
        lambda v: frame(v).reset_index(drop=True).p,
        lambda v: pl.Series(v.tolist()),
        lambda v: v[:50].copy(),
        lambda v: v[100:180].tolist(),
        lambda v: frame(v).loc["row 40":"row 120", "p"],
        lambda v: frame(v).iloc[-60:].reset_index().p,
        lambda v: pd.Series(v, dtype="category")[20:99],
        lambda v: pd.array(v[20:99]),
    ],
)
def test_copies_and_blocks_of_a_prediction_are_known(copies: Copies, name: str, values: Any, same: Any) -> None:
    given = same(values)
    if type(given).__name__.endswith("Array"):
        given = pd.Series(given)  # nullable cells
    assert copies.find(given) == name


def test_other_types_of_the_same_values_are_known(copies: Copies) -> None:
    for same in (LABELS.astype(float), LABELS.astype(np.int8), LABELS.astype(bool), pd.Series(LABELS, dtype="Int64")):
        assert copies.find(same) == "labels"
    copies.note(FLOATS.astype(np.float32), "short")
    assert copies.find(FLOATS.astype(np.float32).tolist()) == "short"


@pytest.mark.parametrize(
    "chosen",
    [
        lambda v: v[v > 0],
        lambda v: v[RNG.permutation(300)],
        lambda v: np.sort(v)[::-1].copy(),
        lambda v: pd.Series(v).sample(40, random_state=0),
        lambda v: frame(v).loc[frame(v).x % 3 == 0, "p"],
    ],
)
def test_numbers_that_do_not_repeat_are_known_in_any_choice_and_order(copies: Copies, chosen: Any) -> None:
    assert copies.find(chosen(FLOATS)) == "floats"
    assert copies.find(chosen(PROBA[:, 1])) == "proba"


def test_columns_and_decisions_of_probabilities_are_known(copies: Copies) -> None:
    for same in (PROBA.copy(), PROBA[:, 1].copy(), PROBA[40:90, 2].tolist(), PROBA[40:90].copy(), pd.DataFrame(PROBA)):
        assert copies.find(same) == "proba"
    highest = PROBA.argmax(axis=1)
    assert copies.find(highest) == "proba"
    assert copies.find(np.array(["a", "b", "c"])[highest]) == "proba"
    assert copies.find(pd.DataFrame(PROBA, columns=list("abc")).idxmax(axis=1)) == "proba"
    assert copies.find(np.array(["a", "c", "b"])[highest]) is None
    assert copies.find(2 - highest) is None


@pytest.mark.parametrize(
    "other",
    [
        1 - LABELS,
        LABELS[::-1].copy(),
        np.append(LABELS, 0),
        LABELS[LABELS == 1],
        LABELS[RNG.permutation(300)],
        LABELS[:15].copy(),  # one in 32,768 is another model's
        FLOATS + 1e-12,
        FLOATS[:19][::-1].copy(),
        np.append(FLOATS[:40], 0.5),
        np.zeros(300),
        WORDS[::-1].copy(),
        np.char.upper(WORDS),
        PROBA[:, ::-1].copy(),
        PROBA[:, :2].copy(),
        (PROBA[:, 1] > 0.3).astype(int),
        np.full(300, np.nan),
        np.array([b"no"] * 300),
        np.array([1j] * 300),
        np.array([object()] * 300),
        np.array([10**400] * 300, dtype=object),
        [[1], [2, 3]],
        [],
        "text",
        None,
        3,
    ],
    ids=lambda other: str(other)[:20].replace("\n", " "),
)
def test_what_is_no_copy_is_none(copies: Copies, other: Any) -> None:
    assert copies.find(other) is None


def test_by_chance_nothing_is_a_copy() -> None:
    copies = Copies()
    rng = np.random.default_rng(1)

    def predicted(n: int) -> list[Any]:
        forest = rng.integers(0, 101, n) / 100  # as the mean of 100 trees
        return [
            rng.integers(0, 2, n),
            rng.integers(0, 3, n),
            rng.random(n) < 0.05,
            forest,
            np.round(rng.normal(size=n), 2),
        ]

    for values in predicted(5_000) + predicted(200):
        copies.note(values, "somebody else's")
    for _ in range(200):
        for values in predicted(int(rng.integers(1, 300))):
            assert copies.find(values) is None
    copies.note(np.arange(1_000), "ranks")
    assert copies.find(rng.permutation(1_000)[:500]) is None


def test_the_last_of_equal_predictions_counts(copies: Copies) -> None:
    copies.note(LABELS, "later")
    assert copies.find(LABELS.copy()) == "later"
    assert copies.find(LABELS[:60].copy()) == "later"


def test_what_was_predicted_counts_not_what_has_become_of_it(copies: Copies) -> None:
    values = RNG.integers(0, 2, 100)
    before = values.copy()
    copies.note(values, "changed")
    values[:50] = 1 - values[:50]
    assert copies.find(before) == "changed"
    assert copies.find(values.copy()) is None


def test_memory_is_bounded_and_given_back(copies: Copies) -> None:
    tracemalloc.start()
    try:
        for number in range(60):
            copies.note(np.full(100_000, number / 7), number)
        copies.note(np.zeros(_copies.MAX_BYTES // 2 // 8 + 1), "too long")
        kept, _ = tracemalloc.get_traced_memory()
        assert kept < 1.1 * _copies.MAX_BYTES
        copies.forget()
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
    assert len(copies) == 0
    for _ in range(_copies.MAX_COPIES + 5):
        copies.note(FLOATS, "")
    assert len(copies) == _copies.MAX_COPIES


def test_neither_arrays_nor_objects_are_kept_alive() -> None:
    class Label:
        pass

    class Labels(np.ndarray[Any, Any]):
        pass

    copies = Copies()
    label = Label()
    values, mine = np.array([label] * 30, dtype=object), np.arange(30).view(Labels)
    ends = [weakref.ref(one) for one in (label, values, mine)]
    copies.note(values, "objects")
    copies.note(mine, "a subclass")
    del label, values, mine
    gc.collect()
    assert [end() for end in ends] == [None] * 3


def test_one_odd_cell_among_strings_is_nothing_to_fall_over(copies: Copies) -> None:
    odd = WORDS.astype(object)
    odd[200] = None
    copies.note(odd, "odd")
    assert copies.find(odd.copy()) is None
    assert copies.find(WORDS.tolist()) == "words"


def test_time_is_bounded_by_what_is_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    original: Callable[..., bool] = _copies._is_block_of

    def counted(part: Any, copy: Any) -> bool:
        looked.append(copy.values.size)
        return original(part, copy)

    monkeypatch.setattr(_copies, "_is_block_of", counted)
    copies = Copies()
    for number in range(20):
        copies.note(RNG.integers(0, 2, 50_000), number)
    assert copies.find(RNG.integers(0, 2, 1_000)) is None
    assert sum(looked) == _copies._MAX_SEARCHED
