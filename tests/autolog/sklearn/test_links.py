from __future__ import annotations

import gc
import threading
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbook.autolog.sklearn import _copies, _links
from fitbook.autolog.sklearn._links import Prediction, find_prediction, link, note_prediction, run_of
from fitbook.tracking._run import RunHandle


class Thing:
    """Something that can be fitted."""


def run(number: int = 0) -> RunHandle:
    return RunHandle(cast("Any", None), f"{number:032x}")


@pytest.fixture
def noted() -> Any:
    values = np.random.default_rng(0).integers(0, 3, 50)
    note_prediction(values, Prediction(run(1), "X_test"))
    return values


def test_an_estimator_s_run_is_the_last_one_and_gone_with_it() -> None:
    thing, first, second = Thing(), run(1), run(2)
    assert run_of(thing) is None
    link(thing, first)
    link(thing, second)
    assert run_of(thing) is second
    assert vars(thing) == {}
    number = id(thing)
    assert number in _links._runs
    del thing
    gc.collect()
    assert number not in _links._runs


def test_what_can_t_be_referred_to_weakly_is_simply_not_known() -> None:
    link(3, run())
    link([1], run())
    assert run_of(3) is None


@pytest.mark.parametrize(
    "same",
    [
        lambda p: p,
        lambda p: p[:20],
        lambda p: p[5:][::2],
        lambda p: p.reshape(-1, 1),
        lambda p: p.copy(),
        lambda p: p.tolist(),
        lambda p: tuple(p.tolist()),
        lambda p: pd.Series(p),
        lambda p: pd.Series(p.copy(), index=range(7, 57)),
    ],
)
def test_a_prediction_is_known_again(noted: Any, same: Any) -> None:
    found = find_prediction(same(noted))
    assert found is not None
    assert found.data_name == "X_test"


@pytest.mark.parametrize(
    "other",
    [
        lambda p: 1 - p,
        lambda p: p[::-1].copy(),
        lambda p: p.astype(str),
        lambda p: None,
        lambda p: 3,
        lambda p: "text",
        lambda p: [],
        lambda p: [[1], [2, 3]],
        lambda p: {"a": p},
        lambda p: np.array(None),
    ],
)
def test_what_is_none_is_not_taken_for_one(noted: Any, other: Any) -> None:
    assert find_prediction(other(noted)) is None


@pytest.mark.parametrize("values", [[1] * 30, [0, 1, 0, 1]])
def test_values_that_are_equal_by_chance_are_not_taken_for_copies(values: list[int]) -> None:
    note_prediction(np.array(values), Prediction(run(), "X"))
    assert find_prediction(np.array(values)) is None


def test_of_equal_predictions_the_last_one_counts_and_objects_before_content() -> None:
    values = np.arange(20)
    first, second = values.copy(), values.copy()
    note_prediction(first, Prediction(run(1), "X"))
    note_prediction(second, Prediction(run(2), "X"))
    assert cast("Any", find_prediction(first)).run == run(1)
    assert cast("Any", find_prediction(second)).run == run(2)
    assert cast("Any", find_prediction(values)).run == run(2)


def test_only_so_much_is_remembered() -> None:
    for number in range(_copies.MAX_COPIES + 50):
        note_prediction(np.arange(number, number + 9), Prediction(run(), "X"))
    assert len(_links._copies) == _copies.MAX_COPIES
    assert len(_links._by_identity) < 50


@given(st.lists(st.floats(allow_nan=False), min_size=9, max_size=40, unique=True))
def test_a_copy_of_any_prediction_is_found(values: list[float]) -> None:
    note_prediction(np.array(values), Prediction(run(7), "X"))
    assert find_prediction(list(values)) is not None


def test_threads_do_not_disturb_each_other() -> None:
    failed: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for n in range(200):
                values = np.random.default_rng((seed, n)).random(20)
                note_prediction(values, Prediction(run(seed), "X"))
                assert cast("Any", find_prediction(values)).run == run(seed)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


@pytest.mark.parametrize("dtype", [object, "<U6", "<U30"])
@pytest.mark.parametrize(
    "same", [lambda p: p.copy(), list, lambda p: pd.Series(p.tolist()), lambda p: p.astype(object)]
)
def test_a_copy_of_predicted_strings_is_known_again(dtype: Any, same: Any) -> None:
    values = np.array(["first", "other"] * 10).astype(dtype)
    note_prediction(values, Prediction(run(1), "X"))
    assert find_prediction(same(values)) is not None
    assert find_prediction(same(values), by_content=False) is None
    assert find_prediction(values, by_content=False) is not None
    assert find_prediction(same(values[::-1].copy())) is None


def test_equal_strings_or_other_objects_are_not_taken_for_copies() -> None:
    for values in (["yes"] * 20, ["a", "b"] * 3, [None, "a"] * 10, [1, "a"] * 10, [(1,), (2,)] * 10):
        array = np.empty(len(values), object)
        array[:] = values
        note_prediction(array, Prediction(run(1), "X"))
        assert find_prediction(array.copy()) is None


def test_nobody_s_attributes_are_asked() -> None:
    class Theirs:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    assert find_prediction(Theirs()) is None
