"""What the scanner takes in one step, it understands as it does opcode by opcode."""

from __future__ import annotations

import pickle
import random
import re
import struct
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fitbook.flavors import _scan
from fitbook.flavors._nodes import Items, Name, Node, Refused

NEVER = re.compile(b"(?!)")
X = np.random.RandomState(0).uniform(size=(60, 4))
Y = (X[:, 0] > 0.5).astype(int)


def told(data: bytes) -> Any:
    """Everything that a scan finds, or what it refuses, as plain values."""
    scanner, known = _scan.Scanner(data), {}

    def plain(value: Any) -> Any:
        if not isinstance(value, (Node, Items, list, tuple)):
            return (type(value).__name__, repr(value))
        if type(value) is tuple:  # which of equal ones it is does not matter
            return tuple(map(plain, value))
        if id(value) in known:
            return known[id(value)]
        known[id(value)] = len(known)
        if isinstance(value, Node):
            return (value.callee, plain(value.args), None if value.state is Node else plain(value.state))
        return (type(value).__name__, [plain(part) for part in (value.flat if isinstance(value, Items) else value)])

    try:
        found = plain(scanner.scan())
    except (Refused, EOFError) as refused:
        return type(refused), str(refused)
    names: tuple[set[Name], ...] = (scanner.called, scanner.made, scanner.named, scanner.filled)
    return found, [sorted(some) for some in names], {name: len(made) for name, made in scanner.nodes.items()}


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Any:
    def tell(data: bytes) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(_scan, "_REST_OF_ARRAY", NEVER)
            patch.setattr(_scan, "_ROW", NEVER)
            return told(data)

    return tell


MODELS = (
    RandomForestClassifier(4, random_state=0),
    HistGradientBoostingClassifier(max_iter=3),
    make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=np.random.RandomState(0))),
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_models_are_understood_alike(model: Any, slowly: Any) -> None:
    good = pickle.dumps(model.fit(X, Y), protocol=5)
    assert told(good) == slowly(good)
    draw = random.Random(0)
    for _ in range(150):
        data = bytearray(good)
        for _ in range(draw.choice((1, 2, 8))):
            data[draw.randrange(len(data))] = draw.choice((0, 40, 104, 133, 148, draw.randrange(256)))
        assert told(bytes(data)) == slowly(bytes(data))


@pytest.mark.parametrize(
    "program",
    [
        b"(\x96" + struct.pack("<Q", 2) + b"ab\x94h\x00K\x02\x85\x94h\x00t\x94R\x94",  # no callee
        b"cnumpy\nzeros\n\x94(\x96"
        + struct.pack("<Q", 2)
        + b"ab\x94h\x09K\x02\x85\x94h\x00t\x94R\x94",  # not remembered
        b"cnumpy\nzeros\n\x94(\x96" + struct.pack("<Q", 2) + b"ab\x94h\x00K\x02\x86\x94h\x00t\x94R\x94",  # one too few
        b"cnumpy\nzeros\n\x94(\x96" + struct.pack("<Q", 2**64 - 1) + b"ab",
        b"cnumpy\nzeros\n\x94(\x96\x01",
        b"cnumpy\nzeros\n\x94("
        + b"h\x00K\x01N\x88\x89G"
        + bytes(8)
        + b"M\x01\x02J\xff\xff\xff\xff"
        + b"h\x00" * 50
        + b"t",
        b"K\x01\x94(" + b"h\x00" * 12 + b"t(" + b"h\x00" * 12 + b"K\x07t\x86",
        b"(" + b"h\x00" * 12 + b"t",
        b"cnumpy\nzeros\n\x94(\x96"
        + struct.pack("<Q", 2)
        + b"ab\x94h\x00K\x02\x85\x94h\x00t\x94R\x94(h\x01h\x02h\x03h\x04tt",
        b"cnumpy\nzeros\n\x94(\x96"
        + struct.pack("<Q", 2)
        + b"ab\x94h\x00K\x02\x85\x94h\x00t\x94R\x94h\x01h\x02h\x03\x870("
        + b"h\x04h\x03h\x02h\x01t\x86",
        b"(",
    ],
)
def test_single_steps_end_alike(program: bytes, slowly: Any) -> None:
    for data in (b"\x80\x05" + program + b".", b"\x80\x05" + program):
        one, other = told(data), slowly(data)
        assert one == other or (isinstance(one[0], type) and isinstance(other[0], type))
