"""Models that mean harm: none is loaded, and none has an effect."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import os
import pickle
import random
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from scipy import sparse, stats
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KDTree, KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from fitbook.errors import FitbookError, ModelError, UntrustedModel
from fitbook.flavors import flavor_named, load_pyfunc, write
from fitbook.flavors._trust import loads

X = np.random.RandomState(0).uniform(size=(60, 4))
Y = (X[:, 0] + X[:, 3] > 1).astype(int)
loads(pickle.dumps(np.zeros(1)), source="here")  # what is imported on first use is no effect of a model's


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return b"X" + struct.pack("<I", len(raw)) + raw


def program(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."


def call(name: str, *args: str) -> bytes:
    """A pickle that calls something by its dotted name with text."""
    module, _, attribute = name.rpartition(".")
    return program(text(module), text(attribute), b"\x93(", *map(text, args), b"tR")


# What each of these would do is to leave the canary behind, or what can't be undone.
GADGETS = (
    *("os.system", "posix.system", "nt.system", "subprocess.Popen", "_posixsubprocess.fork_exec", "builtins.eval"),
    *(
        "builtins.exec",
        "builtins.compile",
        "builtins.__import__",
        "builtins.getattr",
        "builtins.open",
        "builtins.input",
    ),
    *("builtins.breakpoint", "builtins.map", "builtins.type", "importlib.import_module", "pkgutil.resolve_name"),
    *(
        "runpy.run_path",
        "runpy._run_code",
        "pydoc.locate",
        "pydoc.pipepager",
        "pty.spawn",
        "cProfile.run",
        "timeit.timeit",
    ),
    *("trace.Trace", "pdb.run", "bdb.Bdb", "code.interact", "asyncio.create_subprocess_shell", "asyncio.run"),
    *("multiprocessing.util.spawnv_passfds", "operator.methodcaller", "operator.attrgetter", "operator.itemgetter"),
    *("functools.reduce", "types.FunctionType", "types.CodeType", "marshal.loads", "ctypes.CDLL", "cffi.FFI"),
    *("numpy.ctypeslib.load_library", "numpy.load", "numpy.f2py.crackfortran._eval_length", "numpy.__builtins__.eval"),
    *("numpy.testing._private.utils.runstring", "pandas.read_pickle", "pandas.eval", "pandas.read_csv"),
    *("pandas.DataFrame.query", "joblib.load", "joblib.Memory", "cloudpickle.loads", "pickle.loads", "dill.loads"),
    *("torch.load", "torch.utils.collect_env.run", "mlflow.projects.backend.local._run_entry_point"),
    *("ssl.get_server_certificate", "socket.getaddrinfo", "urllib.request.urlopen", "http.client.HTTPSConnection"),
    *("linecache.getline", "pathlib.Path.read_text", "io.open", "fileinput.input", "shutil.rmtree", "os.remove"),
    *("distutils.file_util.write_file", "logging.FileHandler", "tempfile.NamedTemporaryFile", "webbrowser.open"),
    *("antigravity.geohash", "uuid._get_command_stdout", "_osx_support._find_build_tool", "_aix_support._aix_bosmp64"),
    *("platform.popen", "signal.raise_signal", "os._exit", "sys.exit", "faulthandler._sigsegv", "gc.get_objects"),
    *("inspect.getsource", "sys._getframe", "sys.settrace", "weakref.finalize", "atexit.register", "threading.Thread"),
    *(
        "threading.Timer",
        "concurrent.futures.ThreadPoolExecutor",
        "collections.namedtuple",
        "dataclasses.make_dataclass",
    ),
    *("enum.Enum", "unittest.mock.patch", "pytest.main", "doctest.testfile", "sklearn.datasets.fetch_file"),
    *("sklearn.utils._testing.joblib", "sklearn.base.warnings", "sklearn.utils.os.system", "sklearn.linear_model.os"),
)


def _twisted(model: Any, change: Callable[[Any], object]) -> bytes:
    """The pickle of a model whose insides were changed by somebody who knows them."""
    copy = pickle.loads(pickle.dumps(model))
    change(copy)
    return pickle.dumps(copy, protocol=5)


def _crooked_tree(field: str, value: int, protocol: int = 5) -> bytes:
    """A tree whose root says something else."""
    model = DecisionTreeClassifier(random_state=0, max_depth=3).fit(X, Y)
    tree = model.tree_

    class Crooked:
        def __reduce__(self) -> Any:
            make, args, state = tree.__reduce__()
            state["nodes"][field][0] = value
            return make, args, state

    model.__dict__["tree_"] = Crooked()
    return pickle.dumps(model, protocol=protocol)


def _state(instance: Any, **changes: Any) -> bytes:
    """The pickle of an object with something else in its state."""

    class Changed:
        def __reduce__(self) -> Any:
            made = instance.__reduce_ex__(5)
            return (*made[:2], {**made[2], **changes})

    return pickle.dumps(Changed(), protocol=5)


class _Gadget:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


class _Kind:
    """A dtype that says of numbers that they are objects."""

    def __init__(self, flags: int) -> None:
        self.flags = flags

    def __reduce__(self) -> Any:
        return np.dtype, ("f8", False, True), (3, "<", None, None, None, -1, -1, self.flags)


class _Fields:
    """A dtype with a field beyond its end."""

    def __reduce__(self) -> Any:
        fields = {"a": (np.dtype("f8"), 4096)}
        return np.dtype, ("V8", False, True), (3, "|", None, ("a",), fields, 8, 1, 16)


class _Short:
    """An array that claims to be larger than what it has."""

    def __reduce__(self) -> Any:
        return np.zeros(1).__reduce__()[0], (np.ndarray, (0,), b"b"), (1, (10**12,), np.dtype("f8"), False, b"12345678")


class _Unwritten:
    """An array of memory that nobody has written."""

    def __reduce__(self) -> Any:
        return np.zeros(1).__reduce__()[0], (np.ndarray, (10**9,), b"b")


def _distribution(command: str) -> bytes:
    """SciPy runs a part of the state of a distribution."""
    code = f"import os\nos.system({command!r})\n" + stats.norm._parse_arg_template
    return _twisted(stats.norm, lambda made: vars(made).update(_parse_arg_template=code))


def _kd_tree() -> bytes:
    tree = KDTree(X, leaf_size=5)
    state = list(tree.__getstate__())
    state[1] = state[1] + 10**9

    class Changed:
        def __reduce__(self) -> Any:
            return (*tree.__reduce__()[:2], tuple(state))

    return pickle.dumps(Changed(), protocol=5)


def _laughs() -> bytes:
    parts = [b")\x94"]
    for level in range(40):
        parts += [b"(", b"h" + bytes([level]), b"h" + bytes([level]), b"t\x94"]
    return program(b"}", *parts, b"K\x01s")


def _model_states() -> Iterator[tuple[str, bytes]]:
    for field, value in (
        *(("left_child", 2**40), ("left_child", 0), ("left_child", -7), ("right_child", 1), ("right_child", 10**6)),
        *(("feature", 4), ("feature", -1), ("feature", 2**40)),
    ):
        for protocol in (4, 5):
            yield f"tree {field} {value} {protocol}", _crooked_tree(field, value, protocol)
    tree = DecisionTreeClassifier(random_state=0, max_depth=3).fit(X, Y)
    for name, value in (("max_depth", 1), ("node_count", 10**6), ("values", np.zeros((1, 1, 2)))):
        yield f"tree's {name}", _state(tree.tree_, **{name: value})
    yield "tree's features", _twisted(tree, lambda m: vars(m).update(n_features_in_=1))
    yield "no features", _twisted(tree, lambda m: vars(m).pop("n_features_in_"))
    forest = RandomForestClassifier(n_estimators=3, random_state=0).fit(X, Y)
    yield "forest's features", _twisted(forest, lambda m: vars(m).update(n_features_in_=2))
    boosting = GradientBoostingClassifier(n_estimators=3).fit(X, Y)
    yield "boosting's features", _twisted(boosting, lambda m: vars(m).update(n_features_in_=2))
    yield "boosting's trees", _twisted(boosting, lambda m: vars(m).update(n_trees_per_iteration_=2))
    isolation = IsolationForest(n_estimators=3, max_features=2, random_state=0).fit(X)
    yield (
        "isolation's features",
        _twisted(isolation, lambda m: vars(m).update(estimators_features_=[np.array([0])] * 3)),
    )
    histogram = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2).fit(X, Y)
    yield "histogram's features", _twisted(histogram, lambda m: vars(m).update(n_features_in_=1))
    yield "histogram's children", _twisted(histogram, lambda m: m._predictors[0][0].nodes["left"].__setitem__(0, 10**6))
    yield "histogram's circle", _twisted(histogram, lambda m: m._predictors[0][0].nodes["left"].__setitem__(0, 0))
    yield "neighbours", _kd_tree()
    nearest = KNeighborsClassifier(algorithm="brute").fit(X, Y)
    yield "neighbours' labels", _twisted(nearest, lambda m: vars(m).update(_y=np.full(60, 10**6)))
    vectors = SVC().fit(X, Y)
    yield "support vectors", _twisted(vectors, lambda m: vars(m).update(_n_support=np.array([10**6, 1], np.int32)))
    yield "weights", _twisted(vectors, lambda m: vars(m).update(_dual_coef_=np.zeros((1, 1))))
    matrix = sparse.csr_matrix(X)
    yield "sparse indices", _twisted(matrix, lambda m: vars(m).update(indices=m.indices + 10**6))
    yield "sparse pointers", _twisted(matrix, lambda m: vars(m).update(indptr=m.indptr + 10**6))
    yield "sparse pointers back", _twisted(matrix, lambda m: vars(m).update(indptr=m.indptr[::-1].copy()))
    yield "negative indices", _twisted(matrix.tocsc(), lambda m: vars(m).update(indices=m.indices - 5))
    coordinates = matrix.tocoo()
    yield "coordinates", _twisted(coordinates, lambda m: vars(m).update(coords=(m.row + 10**6, m.col)))
    generator = np.random.RandomState(0)
    state = generator.__reduce__()[2]
    yield "random numbers", _state(generator, state={**state["state"], "pos": 10**9})


def _machine() -> Iterator[tuple[str, bytes]]:
    """What the machine can be told that no pickler tells it."""
    model = text("sklearn.linear_model._logistic") + text("LogisticRegression") + b"\x93"
    frombuffer = text("numpy._core.numeric") + text("_frombuffer") + b"\x93"
    polluted = b"N}" + text("predict") + frombuffer + b"s\x86b"
    yield "build on a class", program(model, polluted)
    yield "build on a function", program(frombuffer, polluted)
    yield "build on a memoised class", program(model, b"\x940h\x00", polluted)
    yield "build on a list", program(b"]}b")
    yield "state set twice", program(model, b")\x81}b}b")
    yield "state changed later", program(model, b")\x81}\x94bh\x00", text("a"), b"K\x01s0")
    yield "items on a class", program(model, text("predict"), b"K\x01s")
    yield "a call of what was made", program(model, b")\x81)R")
    yield "a constructor that is not used", program(model, b")R")
    yield "inst", b"(X\x04\x00\x00\x00trueiposix\nsystem\n."
    yield "obj", program(b"(cposix\nsystem\n", text("true"), b"o")
    yield "newobj_ex", program(model, b")}\x92")
    for opcode in (b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00"):
        yield f"ext {opcode!r}", program(opcode)
    yield "binpersid", program(b"K\x01Q")
    yield "persid", b"Pposix\n."
    yield "dup", program(b"K\x012\x86")
    yield "out of band", b"\x80\x05\x97."
    yield "text protocol", b"cposix\nsystem\n(S'true'\ntR."
    for protocol in (1, 2, 3, 4, 5):
        yield f"protocol {protocol}", b"\x80" + bytes([protocol]) + b"cposix\nsystem\n(" + text("true") + b"tR."
    yield "protocol 6", b"\x80\x06K\x01."
    yield (
        "memoised strings",
        program(text("posix"), b"\x94", text("system"), b"\x94000h\x00h\x01\x93)R".replace(b"000", b"00")),
    )
    yield "a name by numbers", program(b"K\x01K\x02\x93")
    for module, name in (
        ("POSIX", "system"),
        ("pоsix", "system"),
        ("posix\0", "system"),
        ("ｐosix", "system"),
        ("sklearn.svm", "os.system"),
    ):
        yield f"name {module!r} {name}", program(text(module), text(name), b"\x93)R")
    yield "memo out of turn", program(b"K\x01r\xff\xff\xff\x7f")
    yield "memo twice", program(b"K\x01q\x00q\x00")
    yield "laughing tuples", _laughs()
    yield "deep tuples", program(b"}", b")" + b"\x85" * 100_000, b"K\x01s")
    yield "number of 2 GB", program(b"\x8b\xff\xff\xff\x7f\x01")
    yield "bytes of 2^62", program(b"\x8e" + struct.pack("<Q", 2**62))
    yield "bytearray of 2^62", b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"."
    yield "text of 2^62", program(b"\x8d" + struct.pack("<Q", 2**62))
    yield "frame of 2^40", program(b"\x95" + struct.pack("<Q", 2**40) + b"K\x01")
    yield "million marks", program(b"(" * 1_000_000)
    yield "behind the end", pickle.dumps(1) + call("os.system", "true")
    yield "two objects", program(b"K\x01K\x02")
    yield "nothing", program()
    yield "dtype of objects", pickle.dumps(_Kind(63))
    yield "dtype's fields", pickle.dumps(_Fields())
    yield "array too short", pickle.dumps(_Short())
    yield "array of nothing", pickle.dumps(_Unwritten())
    yield "bytearray reserved", program(text("builtins"), text("bytearray"), b"\x93J\xff\xff\xff\x7f\x85R")
    yield (
        "random generator",
        program(text("numpy.random._pickle"), text("__randomstate_ctor"), b"\x93", text("a"), model, b"\x86R"),
    )


def _wrapped(command: str) -> Iterator[tuple[str, bytes]]:
    """A gadget inside of what looks harmless."""
    gadget = _Gadget(command)
    plain = pickle.dumps(gadget)
    yield "array of objects", pickle.dumps(np.array([1, gadget, "a"], dtype=object), protocol=4)
    yield "parameter of a model", pickle.dumps(LogisticRegression(C=gadget))  # type: ignore[arg-type]
    yield "scipy distribution", _distribution(command)
    for compress in (0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3)):
        file = io.BytesIO()
        joblib.dump([np.eye(3), gadget], file, compress=compress)
        yield f"joblib {compress}", file.getvalue()
    for name, wrap in (("gzip", gzip.compress), ("bz2", bz2.compress), ("zlib", zlib.compress)):
        yield name, wrap(plain)
        yield f"{name} twice", wrap(wrap(plain))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model.pkl", plain)
    yield "zip", file.getvalue()
    yield "gadget after a model", pickle.dumps([LogisticRegression().fit(X, Y), gadget])


CASES = [
    *((name, call(name, "touch {canary}")) for name in GADGETS),
    *_machine(),
    *_model_states(),
    *_wrapped("touch {canary}"),
]


@pytest.mark.parametrize("data", [data for _, data in CASES], ids=[name for name, _ in CASES])
def test_it_is_refused_quickly_and_has_no_effect(data: bytes, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    # Of the same length, so that the sizes in the pickle stay right.
    data = data.replace(b"touch {canary}", b"touch canary  ")
    before = set(sys.modules), dict(os.environ), set(vars(LogisticRegression))
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        begin = time.process_time()
        with pytest.raises(ModelError):
            loads(data, source="there")
        seconds = time.process_time() - begin
    finally:
        os.chdir(here)
    assert not canary.exists()
    assert (dict(os.environ), set(vars(LogisticRegression))) == before[1:]
    foreign = {name.partition(".")[0] for name in set(sys.modules) - before[0]} - {"fitbook", "numpy", "yaml"}
    assert not foreign
    assert seconds < 1


def test_what_is_refused_is_untrusted_and_not_merely_damaged() -> None:
    damaged = {"number of 2 GB", "bytes of 2^62", "bytearray of 2^62", "text of 2^62", "frame of 2^40"}
    for name, data in CASES:
        with pytest.raises(ModelError) as refused:
            loads(data, source="there")
        packed = name.startswith(("joblib", "gzip", "bz2", "zlib", "zip"))
        assert packed or isinstance(refused.value, UntrustedModel) or name in damaged | {"nothing"}, name


def test_the_gadgets_would_have_an_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number, data in enumerate((pickle.dumps(_Gadget("touch canary")), _distribution("touch canary"))):
        pickle.loads(data)
        (tmp_path / "canary").rename(tmp_path / str(number))


def test_mutations_of_a_good_pickle_are_loaded_or_refused() -> None:
    good = pickle.dumps(DecisionTreeClassifier(max_depth=3).fit(X, Y), protocol=5)
    draw = random.Random(0)
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(draw.choice((1, 1, 2, 8))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            loaded = loads(bytes(data), source="there")
        except FitbookError:
            continue
        if isinstance(loaded, DecisionTreeClassifier):
            with contextlib.suppress(Exception):  # any error of Python's will do, a crash would not
                loaded.predict(X)


# -- folders that mean harm ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(flavor_named("sklearn").snapshot(LogisticRegression().fit(X, Y)), tmp_path / "model")


@pytest.mark.parametrize(
    "path", ["../x.pkl", "/etc/passwd", "a/../../x.pkl", "C:x.pkl", "http://x/model.pkl", "file:///x", "", "."]
)
def test_the_file_of_a_model_is_inside_its_folder(path: str, folder: Path) -> None:
    file = folder / "MLmodel"
    file.write_text(file.read_text().replace("model.pkl", repr(path)))
    with pytest.raises(ModelError):
        load_pyfunc(folder)


@pytest.mark.parametrize("kind", ["link", "device", "pipe", "folder"])
def test_the_file_of_a_model_is_a_file(kind: str, folder: Path, tmp_path: Path) -> None:
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


def test_a_file_that_is_swapped_is_judged_by_what_is_loaded(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps(_Gadget("true")))
    with pytest.raises(UntrustedModel, match=r"posix\.system"):
        load_pyfunc(folder)


def test_a_list_of_trust_in_the_file_is_nobodys(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps(_Gadget("true")))
    with (folder / "MLmodel").open("a") as file:
        file.write("skops_trusted_types: [posix.system]\ntrusted: [posix.system]\n")
    with pytest.raises(UntrustedModel):
        load_pyfunc(folder)
