"""XGBoost's own formats: every kind of model is read, and no damage to one ends the process."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from fitbook.errors import UntrustedModel
from fitbook.flavors import flavor_named
from fitbook.flavors._trust import loads

X = np.random.RandomState(0).uniform(size=(60, 4))
XGBOOST = flavor_named("xgboost")


def trained(targets: int = 1, **params: Any) -> Any:
    return xgboost.train({"verbosity": 0, "max_depth": 3, **params}, xgboost.DMatrix(X, X[:, :targets]), 3)


@pytest.mark.parametrize(
    "params",
    [{"booster": "dart"}, {"booster": "gblinear"}, {"gamma": 0.1, "tree_method": "exact"}, {"num_parallel_tree": 2}]
    + [{"targets": 2}, {"targets": 2, "multi_strategy": "multi_output_tree", "tree_method": "hist"}],
    ids=str,
)
def test_all_kinds_of_models_are_read(params: dict[str, Any], tmp_path: Path) -> None:
    model = trained(**params)
    expected = model.predict(xgboost.DMatrix(X))
    for kind in ("ubj", "json"):
        (tmp_path / kind).write_bytes(model.save_raw(kind))
        loaded: Any = XGBOOST.load(tmp_path, {"data": kind})
        np.testing.assert_array_equal(loaded.predict(xgboost.DMatrix(X)), expected)
    for protocol in (4, 5):
        loaded = loads(pickle.dumps(model, protocol=protocol), source="here")
        np.testing.assert_array_equal(loaded.predict(xgboost.DMatrix(X)), expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [("left_children", 10**6), ("left_children", 0), ("right_children", -1), ("split_indices", 4), ("parents", 5)]
    + [("split_type", 1)],
)
def test_what_would_crash_is_refused(name: str, value: int, tmp_path: Path) -> None:
    document = json.loads(trained().save_raw("json"))
    document["learner"]["gradient_booster"]["model"]["trees"][1][name][1 if name == "parents" else 0] = value
    (tmp_path / "json").write_text(json.dumps(document))
    with pytest.raises(UntrustedModel, match="is not loaded"):
        XGBOOST.load(tmp_path, {"data": "json"})


def test_a_child_before_the_first_node_is_refused(tmp_path: Path) -> None:
    document = json.loads(trained().save_raw("json"))
    tree = document["learner"]["gradient_booster"]["model"]["trees"][0]
    tree["left_children"][0], tree["parents"][-2] = -2, 0  # which Python takes for the last but one
    (tmp_path / "json").write_text(json.dumps(document))
    with pytest.raises(UntrustedModel, match="is not there"):
        XGBOOST.load(tmp_path, {"data": "json"})


def test_a_damaged_pickle_is_refused() -> None:
    data = pickle.dumps(trained(), protocol=5)
    with pytest.raises(UntrustedModel, match="is not loaded"):
        loads(data.replace(b"left_children", b"left_childrex"), source="here")


PROGRAM = """
import contextlib, random, sys
import numpy as np
import xgboost
from pathlib import Path
from fitbook.flavors import flavor_named
here = Path(sys.argv[1])
draw, flavor, X, loaded = random.Random(0), flavor_named("xgboost"), xgboost.DMatrix(np.zeros((9, 4))), 0
for number in range(600):
    kind = ("ubj", "json")[number % 2]
    data = bytearray((here / f"good.{kind}").read_bytes())
    for _ in range(draw.choice((1, 1, 2, 8))):
        data[draw.randrange(len(data))] = draw.choice((0, 45, 48, 57, 255, draw.randrange(256)))
    (here / kind).write_bytes(data)
    with contextlib.suppress(Exception):  # any error of Python's will do
        flavor.load(here, {"data": kind}).predict(X)
        loaded += 1
print("survived", loaded)
"""


def test_damage_does_not_end_the_process(tmp_path: Path) -> None:
    for kind in ("ubj", "json"):
        (tmp_path / f"good.{kind}").write_bytes(trained().save_raw(kind))
    command = [sys.executable, "-X", "faulthandler", "-c", PROGRAM, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert int(ran.stdout.split("survived ")[-1]) > 20
