"""Arrays that are none, generators of random numbers at a place that is none, and parts that are copied without end."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.random import MT19937, PCG64, SFC64, Generator, Philox, RandomState

from fitbook.errors import UntrustedModel
from fitbook.flavors._trust import loads


class By:
    """Pickled as a call of what it is given, with a state."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


def refused(value: Any, match: str) -> None:
    for protocol in (4, 5):
        with pytest.raises(UntrustedModel, match=match):
            loads(pickle.dumps(value, protocol=protocol), source="there")


def bits(kind: Any, state: Any) -> By:
    return By(kind(0).__reduce__()[0], (kind,), state)


TABLE = {"bit_generator": "MT19937", "state": {"key": np.zeros(624, np.uint32), "pos": 2**31 - 1}}
SHORT = {"bit_generator": "MT19937", "state": {"key": np.zeros(5, np.uint32), "pos": 5}}
PLACE = {**Philox(0).state, "buffer_pos": -(2**31) + 10}
OLD = ("MT19937", np.zeros(624, np.uint32), 2**31 - 1)


@pytest.mark.parametrize(
    ("kind", "state"),
    [(MT19937, TABLE), (MT19937, SHORT), (MT19937, OLD), (Philox, PLACE), (Philox, {**PLACE, "buffer_pos": 5})],
    ids=["place", "table", "as a tuple", "buffer", "buffer's end"],
)
def test_a_generator_is_at_a_place_that_there_is(kind: Any, state: Any) -> None:
    for form in (state, (state, None), [state, None]):  # of numpy 1, of numpy 2, and of nobody
        refused(bits(kind, form), "random generator")
    refused(By(RandomState(0).__reduce__()[0], (bits(MT19937, (MT19937(0).state, None)),), state), "random generator")


def test_a_generator_of_no_state_is_none() -> None:
    # The old way in which a state could be given without that it is looked at.
    refused(By(Generator(PCG64(0)).__reduce__()[0], (PCG64(0),), OLD), "random generator")


def test_generators_go_on_where_they_were() -> None:
    for made in (RandomState(0), *(Generator(kind(0)) for kind in (MT19937, PCG64, Philox, SFC64))):
        made.random(3)
        loaded: Any = loads(pickle.dumps(made), source="here")
        assert loaded.random() == made.random()


def test_arrays_are_made_of_arrays() -> None:
    make = np.zeros(1).__reduce__()[0]
    refused(
        By(make, (np.ma.MaskedArray, (0,), b"b"), (1, (1,), np.dtype("f8"), False, bytes(8))), "made of what is none"
    )
    masked = np.ma.array([1.0]).__reduce__()
    refused(By(masked[0], (RandomState, np.ndarray, (0,), "b"), masked[2]), r"made of what is none|numpy\.random")


def test_a_part_is_not_copied_without_end() -> None:
    big, make, kind = b"x" * 1_000_000, np.zeros(1).__reduce__()[0], np.dtype("u1")
    arrays = [By(make, (np.ndarray, (0,), b"b"), (1, (len(big),), kind, False, big)) for _ in range(30)]
    scalars = [By(np.float64(1).__reduce__()[0], (np.dtype(f"S{len(big)}"), big)) for _ in range(30)]  # type: ignore[misc]
    for parts in (arrays, scalars, [bytearray(0), *(By(bytearray, (big,)) for _ in range(30))]):
        refused(parts, "copies its parts so often")


def test_thousands_of_texts_in_an_array_are_loaded() -> None:
    for count in (999, 1000, 2001, 7000):
        texts = np.array([f"word{n}" for n in range(count)], dtype=object)
        for protocol in (4, 5):
            loaded: Any = loads(pickle.dumps(texts, protocol=protocol), source="here")
            np.testing.assert_array_equal(loaded, texts)
