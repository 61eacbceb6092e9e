"""Files and folders of models that mean harm; the number of its kind is in each test's name."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import sqlite3
import tarfile
import threading
import warnings
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

import fitbook.sklearn
from fitbook.errors import FitbookError, ModelError, UntrustedModel
from fitbook.flavors import flavor_named, load_pyfunc, write

X = np.random.RandomState(0).uniform(size=(60, 4))
Y = (X[:, 0] > 0.5).astype(int)
SKLEARN = flavor_named("sklearn")
MODEL = LogisticRegression().fit(X, Y)


class Gadget:
    """Leaves a canary behind."""

    def __reduce__(self) -> Any:
        return os.system, ("touch canary",)


@pytest.fixture(autouse=True)
def _no_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.rglob("canary"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(flavor_named("sklearn").snapshot(LogisticRegression().fit(X, Y)), tmp_path / "model")


@pytest.mark.parametrize(
    "path", ["../x.pkl", "/etc/passwd", "a/../../x.pkl", "C:x.pkl", "http://x/model.pkl", "file:///x", "", "."]
)
def test_k41_the_file_of_a_model_is_inside_its_folder(path: str, folder: Path) -> None:
    file = folder / "MLmodel"
    file.write_text(file.read_text().replace("model.pkl", repr(path)))
    with pytest.raises(ModelError):
        load_pyfunc(folder)


@pytest.mark.parametrize("kind", ["link", "device", "pipe", "folder"])
def test_k41_the_file_of_a_model_is_a_file(kind: str, folder: Path, tmp_path: Path) -> None:
    file = folder / "model.pkl"
    file.rename(tmp_path / "outside.pkl")
    if kind == "link":
        file.symlink_to(tmp_path / "outside.pkl")
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.mkdir()
    with pytest.raises(ModelError):
        load_pyfunc(folder)


def test_k47_a_file_that_is_swapped_is_judged_by_what_is_loaded(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps(Gadget()))
    with pytest.raises(UntrustedModel, match=r"posix\.system"):
        load_pyfunc(folder)


def test_k43_a_list_of_trust_in_the_file_is_nobodys(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps(Gadget()))
    with (folder / "MLmodel").open("a") as file:
        file.write("skops_trusted_types: [posix.system]\ntrusted: [posix.system]\n")
    with pytest.raises(UntrustedModel):
        load_pyfunc(folder)


# -- archives --------------------------------------------------------------------------------------------------------


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        content = pickle.dumps(Gadget())
        member = tarfile.TarInfo("model.pkl")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def _zip(*names: str) -> bytearray:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two of one name
        for name in names:
            archive.writestr(name, pickle.dumps(Gadget()))
    return bytearray(file.getvalue())


def _renamed_inside() -> bytes:
    """The list at the end names another file than is there."""
    data = _zip("model.pkl")
    place = data.rindex(b"model.pkl")
    data[place : place + 9] = b"other.txt"
    return bytes(data)


def _flagged() -> bytes:
    """Said to be encrypted, so that scanners pass it over."""
    data = _zip("model.pkl")
    data[6] |= 1
    return bytes(data)


@pytest.mark.parametrize("format", ["pickle", "cloudpickle", "skops"])
@pytest.mark.parametrize(
    "make",
    [_tar, _renamed_inside, _flagged, lambda: bytes(_zip("model.txt")), lambda: bytes(_zip("model.pkl", "model.pkl"))],
    ids=["tar", "list", "flag", "extension", "twice"],
)
def test_k40_archives_are_not_opened(make: Callable[[], bytes], format: str, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(make())
    with pytest.raises(ModelError):
        SKLEARN.load(tmp_path, {"pickled_model": "model.pkl", "serialization_format": format})


# -- the MLmodel file ------------------------------------------------------------------------------------------------

_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    "text",
    [
        "flavors: !!python/object/apply:os.system [touch canary]\n",
        "flavors: !!python/object/new:os.system [touch canary]\n",
        "flavors: !!python/module:antigravity\n",
        _BOMB + "flavors: {sklearn: {pickled_model: *a29}}\n",
        "flavors: &f {sklearn: *f}\n",
        "flavors: {sklearn: {pickled_model: [" + "[" * 5000 + "]" * 5000 + "]}}\n",
        "#" * 100_000_000,
        "flavors: {python_function: {loader_module: os, data: model.pkl}}\n",
        "flavors: {os: {pickled_model: model.pkl}, ../evil: {}, evil.module: {}}\n",
        "flavors: {sklearn: {pickled_model: model.pkl}}\nflavors: {sklearn: {pickled_model: gadget.pkl}}\n",
        "flavors: {sklearn: {pickled_model: gadget.pkl}, python_function: {code: ../.., loader_module: evil}}\n",
        "flavors: {sklearn: {pickled_model: gadget.pkl, code: [../../evil]}}\n",
        "flavors: {python_function: {loader_module: mlflow.pyfunc.model, python_model: model.pkl, code: ../..}}\n",
    ],
    ids=lambda text: text[:40].replace("\n", " ") if len(text) < 10**6 else "100 MB",
)
def test_k42_yaml(text: str, folder: Path) -> None:
    (folder / "MLmodel").write_text(text)
    (folder / "gadget.pkl").write_bytes(pickle.dumps(Gadget()))
    (folder.parent / "evil.py").write_text("open('canary', 'w')")
    with pytest.raises(FitbookError):
        load_pyfunc(folder)


# -- skops -----------------------------------------------------------------------------------------------------------


def _skops(model: object, change: Callable[[Any], object], **members: bytes) -> bytes:
    """A model whose description somebody has edited, with other or further members."""
    found = zipfile.ZipFile(io.BytesIO(skops.io.dumps(model)))
    contents = {name: found.read(name) for name in found.namelist()}
    schema = json.loads(contents["schema.json"])
    change(schema)
    contents |= {"schema.json": json.dumps(schema).encode()} | members
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


def _node(loader: str, module: str, name: str, content: Any = None, **more: Any) -> dict[str, Any]:
    return {"__loader__": loader, "__module__": module, "__class__": name, "__id__": 1, "content": content, **more}


_TEXT = _node("JsonNode", "builtins", "str", '"touch canary"', is_json=True)
_ARGS = _node("TupleNode", "builtins", "tuple", [_TEXT])
_HOSTILE = {
    "operator": _node("OperatorFuncNode", "operator", "methodcaller", attrs=_ARGS),
    "operator elsewhere": _node("OperatorFuncNode", "os", "system", attrs=_ARGS),
    "method": _node("MethodNode", "builtins", "function", {"func": "__init__.__globals__", "obj": _ARGS}),
    "dotted method": _node("MethodNode", "os", "system", {"func": "path.os.system", "obj": _TEXT}),
    "function": _node("FunctionNode", "os", "system", {"module_path": "os", "function": "system"}),
    "type": _node("TypeNode", "subprocess", "Popen"),
    "partial": _node(
        "PartialNode", "functools", "partial", {"func": _TEXT, "args": _ARGS, "kwds": _ARGS, "namespace": _ARGS}
    ),
    "reduce": _node("ReduceNode", "os", "system", {"args": _ARGS, "constructor": "os.system"}, reduce=_ARGS),
    "object": _node("ObjectNode", "os", "system", _ARGS),
    "unknown": _node("EvilNode", "os", "system", _ARGS),
    "generator": _node(
        "RandomGeneratorNode", "os", "system", {"bit_generator": _node("DictNode", "builtins", "dict", {})}
    ),
    "member outside": _node("NdArrayNode", "numpy", "ndarray", type="numpy", file="../../etc/passwd"),
}


@pytest.mark.parametrize("kind", _HOSTILE)
def test_k43_nodes_of_skops(kind: str, tmp_path: Path) -> None:
    _refused(_skops(MODEL, lambda schema: schema["content"]["content"].update(C=_HOSTILE[kind])), tmp_path)


def _array(content: np.ndarray[Any, Any], *, shape: tuple[int, ...] | None = None) -> bytes:
    file = io.BytesIO()
    header = {"descr": content.dtype.str, "fortran_order": False, "shape": shape or content.shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + content.tobytes()


@pytest.mark.parametrize("kind", ["shape", "negative", "objects", "pickled"])
def test_k44_arrays_of_skops(kind: str, tmp_path: Path) -> None:
    held = [name for name in zipfile.ZipFile(io.BytesIO(skops.io.dumps(MODEL))).namelist() if name.endswith(".npy")]
    file = io.BytesIO()
    np.save(file, np.array([Gadget()], dtype=object), allow_pickle=True)
    content = {
        "shape": _array(np.zeros(1), shape=(2**40,)),
        "negative": _array(np.zeros(1), shape=(-1,)),
        "objects": file.getvalue(),
        "pickled": pickle.dumps(Gadget()),
    }[kind]
    _refused(_skops(MODEL, lambda schema: None, **dict.fromkeys(held, content)), tmp_path)


@pytest.mark.parametrize("kind", ["support vectors", "sparse", "labels"])
def test_k44_contents_of_skops_that_would_crash(kind: str, tmp_path: Path) -> None:
    model: Any
    if kind == "support vectors":
        model = SVC().fit(X, Y)
        model._n_support = np.array([10**6, 1], np.int32)
    elif kind == "sparse":
        model = LogisticRegression().fit(X, Y)
        model.coef_ = sparse.csr_matrix(X)
        model.coef_.indices = model.coef_.indices + 10**6
    else:
        model = KNeighborsClassifier(algorithm="brute").fit(X, Y)
        model._y = np.full(60, 10**6)
    _refused(skops.io.dumps(model), tmp_path)


def _refused(data: bytes, folder: Path) -> None:
    (folder / "model.skops").write_bytes(data)
    with pytest.raises(ModelError):
        SKLEARN.load(folder, {"pickled_model": "model.skops", "serialization_format": "skops"})


# -- files that change -----------------------------------------------------------------------------------------------


def test_k47_what_is_looked_at_is_what_is_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read once: whatever takes its place right after that is neither looked at nor loaded."""
    real, good = Path.read_bytes, (folder / "model.pkl").read_bytes()
    reads = []

    def swapping(path: Path) -> bytes:
        content = real(path)
        if path.name == "model.pkl":
            reads.append(content)
            path.write_bytes(pickle.dumps(Gadget()))
        return content

    monkeypatch.setattr(Path, "read_bytes", swapping)
    np.testing.assert_array_equal(load_pyfunc(folder).predict(X), MODEL.predict(X))
    assert reads == [good]
    with pytest.raises(UntrustedModel):
        load_pyfunc(folder)


def test_k47_a_race(folder: Path) -> None:
    file, good, bad = folder / "model.pkl", pickle.dumps(MODEL, protocol=5), pickle.dumps(Gadget())
    done = threading.Event()

    def swap() -> None:
        draw = random.Random(0)
        while not done.is_set():
            (folder / "next").write_bytes(draw.choice((good, bad, good[: draw.randrange(len(good))])))
            os.replace(folder / "next", file)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(100):
            with suppress(ModelError):
                loaded = SKLEARN.load(folder, {"pickled_model": "model.pkl"})
                np.testing.assert_array_equal(loaded.predict(X), MODEL.predict(X))
    finally:
        done.set()
        thread.join()


# -- stores ----------------------------------------------------------------------------------------------------------


def test_k48_the_digest_of_another_model_vouches_for_nothing(tmp_path: Path) -> None:
    infos = []
    for number in (1.0, 2.0):
        with fitbook.start_run():
            infos.append(fitbook.sklearn.log_model(FunctionTransformer(lambda x, by=number: x * by), "model"))
    one, other = ({file.read_bytes(): file for file in tmp_path.rglob("model.pkl")}).items()
    one[1].write_bytes(other[0])
    with closing(sqlite3.connect(next(tmp_path.rglob("fitbook.db")))) as connection, connection:
        connection.execute("DELETE FROM files")  # which would notice it before
    refused = []
    for info in infos:
        try:
            fitbook.sklearn.load_model(info.model_uri)
        except UntrustedModel:
            refused.append(info)
    assert len(refused) == 1


@pytest.mark.parametrize("name", ["сhurn", "churn\u200b", "ｃhurn", "churn "])
def test_k49_a_name_that_looks_like_anothers(name: str) -> None:
    with fitbook.start_run():
        info = fitbook.sklearn.log_model(MODEL, "model", registered_model_name="churn")
    with pytest.raises(FitbookError):
        fitbook.register_model(info.model_uri, name)
