"""LightGBM's text: every kind of model is read, and no damage to one ends the process."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest

from fitbook.errors import UntrustedModel
from fitbook.flavors import flavor_named
from fitbook.flavors._trust import loads

X = np.random.RandomState(0).uniform(size=(300, 4))
Y = (X[:, 0] + X[:, 3] > 1).astype(int)
LIGHTGBM = flavor_named("lightgbm")
CONFIG = {"data": "model.lgb"}


def trained(**params: Any) -> Any:
    options = {"verbose": -1, "min_data_per_group": 1, "min_data_in_leaf": 2, **params}
    return lightgbm.train(options, lightgbm.Dataset(X, np.arange(300) % 3, categorical_feature=[2]), 4)


@pytest.mark.parametrize(
    "params",
    [
        {"objective": "multiclass", "num_class": 3},
        {"objective": "regression", "boosting": "dart"},
        {"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"objective": "regression", "linear_tree": True},
        {"objective": "regression", "min_data_in_leaf": 300},
    ],
    ids=str,
)
def test_all_kinds_of_models_are_read(params: dict[str, Any], tmp_path: Path) -> None:
    model = trained(**params)
    (tmp_path / "model.lgb").write_text(model.model_to_string())
    loaded: Any = LIGHTGBM.load(tmp_path, CONFIG)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.params == lightgbm.Booster(model_str=model.model_to_string()).params
    np.testing.assert_array_equal(loads(pickle.dumps(model), source="here").predict(X), model.predict(X))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (r"left_child=-?\d+", "left_child=900"),
        (r"left_child=-?\d+", "left_child=0"),
        ("right_child=", "right_child=-900 "),
        ("split_feature=", "split_feature=9 "),
        ("leaf_value=", "leaf_value=1 "),
        ("num_leaves=", "num_leaves=1"),
        ("threshold=", "threshold=x"),
        ("tree_sizes=", "tree_sizes=1"),
        ("max_feature_idx=3", "max_feature_idx=2"),
        ("Tree=1", "Tree=\0"),
        ("num_cat=", "num_cat=-"),
        ("num_class=1", "num_class=0"),
    ],
)
def test_what_would_crash_is_refused(was: str, becomes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, found = re.subn(was, becomes, trained(objective="regression").model_to_string(), count=1)
    assert found
    (tmp_path / "model.lgb").write_text(text)
    with pytest.raises(UntrustedModel, match="is not loaded"):
        LIGHTGBM.load(tmp_path, CONFIG)
    booster = trained(objective="regression")
    state = {**booster.__getstate__(), "handle": text}
    monkeypatch.setattr(lightgbm.Booster, "__getstate__", lambda self: state)
    with pytest.raises(UntrustedModel, match="is not loaded"):
        loads(pickle.dumps(booster), source="here")


PROGRAM = """
import contextlib, random, sys
import numpy as np
from pathlib import Path
from fitbook.flavors import flavor_named
good = Path(sys.argv[1], "good.lgb").read_bytes()
draw, flavor, X, loaded = random.Random(0), flavor_named("lightgbm"), np.zeros((9, 4)), 0
for number in range(400):
    data = bytearray(good)
    for _ in range(draw.choice((1, 1, 2, 8))):
        data[draw.randrange(len(data))] = draw.choice((0, 10, 32, 45, 48, 57, 61, draw.randrange(256)))
    Path(sys.argv[1], "model.lgb").write_bytes(data)
    with contextlib.suppress(Exception):  # any error of Python's will do
        flavor.load(Path(sys.argv[1]), {"data": "model.lgb"}).predict(X)
        loaded += 1
print("survived", loaded)
"""


def test_damage_does_not_end_the_process(tmp_path: Path) -> None:
    (tmp_path / "good.lgb").write_text(trained(objective="regression").model_to_string())
    command = [sys.executable, "-X", "faulthandler", "-c", PROGRAM, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert int(ran.stdout.split("survived ")[-1]) > 20
