"""Models in the skops format."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from fitbook.errors import ModelError, UntrustedModel
from fitbook.flavors import flavor_named, load_pyfunc, trusting, write
from fitbook.models import Model

SKLEARN = flavor_named("sklearn")
X, Y = np.arange(8.0).reshape(4, 2), np.array([0, 0, 1, 1])


def test_a_model_is_written_and_read(tmp_path: Path) -> None:
    model = LogisticRegression().fit(X, Y)
    folder = write(SKLEARN.snapshot(model, serialization_format="skops"), tmp_path / "model")
    assert Model.load(folder).flavors["sklearn"]["serialization_format"] == "skops"
    assert "skops==" in (folder / "requirements.txt").read_text()
    assert not list(folder.glob("*.pkl"))
    np.testing.assert_array_equal(load_pyfunc(folder).predict(X), model.predict(X))


def test_types_are_trusted_by_the_caller_and_not_by_the_file(tmp_path: Path) -> None:
    model = DecisionTreeClassifier().fit(X, Y)
    folder = write(SKLEARN.snapshot(model, serialization_format="skops"), tmp_path / "model")
    with (folder / "MLmodel").open("a") as file:
        file.write("skops_trusted_types: [sklearn.tree._tree.Tree]\n")
    with pytest.raises(UntrustedModel) as refused:
        load_pyfunc(folder)
    assert refused.value.names == ["sklearn.tree._tree.Tree"]
    with trusting(refused.value.names):
        np.testing.assert_array_equal(load_pyfunc(folder).predict(X), model.predict(X))


def test_a_file_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO(skops.io.dumps(LogisticRegression().fit(X, Y)))
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more.npy", b"\0" * 20_000_000)
    (tmp_path / "model.skops").write_bytes(content.getvalue())
    config = {"pickled_model": "model.skops", "serialization_format": "skops"}
    with pytest.raises(UntrustedModel, match="would become 20,"):
        SKLEARN.load(tmp_path, config)
    (tmp_path / "model.skops").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="skops"):
        SKLEARN.load(tmp_path, config)


def test_an_old_skops_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fitbook.flavors._skops.version", lambda _: "0.14.0")
    with pytest.raises(ModelError, match=r"skops is 0\.14\.0; it takes 0\.15"):
        SKLEARN.snapshot(LogisticRegression().fit(X, Y), serialization_format="skops")
