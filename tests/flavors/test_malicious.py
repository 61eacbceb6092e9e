"""Pickles that mean harm: none is loaded, and none has an effect.

Each test's id begins with the number of its kind. Kinds 40 to 44 and 47 to 49, which are of files and folders, are in
test_malicious_folders.py; kind 50, a million mutations, is in test_mutations.py.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import re
import struct
import sys
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

from fitbook.errors import ModelError, UntrustedModel
from fitbook.flavors._trust import loads, trusting

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
GADGETS = {
    1: "os.system posix.system nt.system",
    2: "subprocess.Popen _posixsubprocess.fork_exec",
    3: "builtins.eval builtins.exec builtins.compile builtins.__import__ builtins.getattr builtins.open builtins.input "
    "builtins.breakpoint builtins.type",
    4: "importlib.import_module pkgutil.resolve_name runpy.run_path runpy._run_code",
    5: "pydoc.locate pydoc.pipepager pty.spawn cProfile.run timeit.timeit trace.Trace pdb.run bdb.Bdb",
    6: "code.interact asyncio.create_subprocess_shell multiprocessing.util.spawnv_passfds",
    7: "operator.methodcaller operator.attrgetter operator.itemgetter functools.reduce builtins.map builtins.set",
    8: "types.FunctionType types.CodeType marshal.loads",
    9: "ctypes.CDLL cffi.FFI numpy.ctypeslib.load_library",
    10: "numpy.load numpy.f2py.crackfortran._eval_length numpy.testing._private.utils.runstring numpy.__builtins__.eval",
    11: "pandas.read_pickle pandas.eval pandas.DataFrame.query pandas.read_csv",
    12: "joblib.load joblib.Memory cloudpickle.loads pickle.loads dill.loads",
    13: "torch.load torch.utils.collect_env.run",
    14: "mlflow.projects.backend.local._run_entry_point",
    15: "ssl.get_server_certificate socket.getaddrinfo urllib.request.urlopen http.client.HTTPSConnection",
    16: "linecache.getline pathlib.Path.read_text io.open fileinput.input",
    17: "shutil.rmtree os.remove distutils.file_util.write_file logging.FileHandler tempfile.NamedTemporaryFile",
    18: "webbrowser.open antigravity.geohash uuid._get_command_stdout _osx_support._find_build_tool "
    "_aix_support._aix_bosmp64 platform.popen",
    19: "signal.raise_signal os._exit sys.exit faulthandler._sigsegv",
    20: "gc.get_objects inspect.getsource sys._getframe sys.settrace",
    21: "weakref.finalize atexit.register",
    22: "threading.Thread threading.Timer",
    23: "concurrent.futures.ThreadPoolExecutor asyncio.run",
    24: "collections.namedtuple dataclasses.make_dataclass enum.Enum",
    25: "unittest.mock.patch pytest.main doctest.testfile",
    # Classes that a model may hold, made by calling them.
    31: "sklearn.linear_model._logistic.LogisticRegression sklearn.pipeline.Pipeline numpy.ndarray",
    32: "sklearn.datasets.fetch_file sklearn.datasets._base.fetch_file",
    33: "sklearn.utils._testing.joblib sklearn.base.warnings sklearn.utils.os.system sklearn.linear_model.os",
}


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

    def __init__(self, flags: int, *metadata: object, kind: str = "f8") -> None:
        self.flags, self.metadata, self.kind = flags, metadata, kind

    def __reduce__(self) -> Any:
        version = 3 + len(self.metadata)
        return np.dtype, (self.kind, False, True), (version, "<", None, None, None, -1, -1, self.flags, *self.metadata)


class _Fields:
    """A dtype with a field beyond its end."""

    def __reduce__(self) -> Any:
        fields = {"a": (np.dtype("f8"), 4096)}
        return np.dtype, ("V8", False, True), (3, "|", None, ("a",), fields, 8, 1, 16)


class _Reduced:
    """What is made by a call, and nothing after it."""

    def __init__(self, *made: Any) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return self.made


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


def _changed_dtype() -> bytes:
    """Indices that are checked in one order of bytes, and used in the other."""
    kind = text("numpy") + text("dtype") + b"\x93" + text("i4") + b"\x89\x88\x87R\x94"
    array = (
        text("numpy._core.numeric")
        + text("_frombuffer")
        + b"\x93(\x96"
        + struct.pack("<Q", 8)
        + struct.pack("<2i", 0, 1)
    )
    array += b"h\x00K\x02\x85" + text("C") + b"tR"
    ones = text("numpy._core.numeric") + text("_frombuffer") + b"\x93(\x96" + struct.pack("<Q", 8) + bytes(8)
    ones += b"h\x00K\x02\x85" + text("C") + b"tR"
    matrix = text("scipy.sparse._coo") + text("coo_matrix") + b"\x93)\x81}(" + text("_shape") + b"K\x02K\x02\x86"
    matrix += text("coords") + array + array + b"\x86" + text("data") + ones + b"ub"
    state = b"(K\x03" + text(">") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"
    return b"\x80\x05" + kind + b"0" + matrix + b"h\x00" + state + b"b\x86."


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
            yield f"k45-tree {field} {value} {protocol}", _crooked_tree(field, value, protocol)
    tree = DecisionTreeClassifier(random_state=0, max_depth=3).fit(X, Y)
    for name, value in (("max_depth", 1), ("node_count", 10**6), ("values", np.zeros((1, 1, 2)))):
        yield f"k45-tree's {name}", _state(tree.tree_, **{name: value})
    yield "k45-tree's features", _twisted(tree, lambda m: vars(m).update(n_features_in_=1))
    yield "k45-no features", _twisted(tree, lambda m: vars(m).pop("n_features_in_"))
    forest = RandomForestClassifier(n_estimators=3, random_state=0).fit(X, Y)
    yield "k45-forest's features", _twisted(forest, lambda m: vars(m).update(n_features_in_=2))
    boosting = GradientBoostingClassifier(n_estimators=3).fit(X, Y)
    yield "k45-boosting's features", _twisted(boosting, lambda m: vars(m).update(n_features_in_=2))
    yield "k45-boosting's trees", _twisted(boosting, lambda m: vars(m).update(n_trees_per_iteration_=2))
    isolation = IsolationForest(n_estimators=3, max_features=2, random_state=0).fit(X)
    yield (
        "k45-isolation's features",
        _twisted(isolation, lambda m: vars(m).update(estimators_features_=[np.array([0])] * 3)),
    )
    histogram = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2).fit(X, Y)
    yield "k45-histogram's features", _twisted(histogram, lambda m: vars(m).update(n_features_in_=1))
    yield (
        "k45-histogram's children",
        _twisted(histogram, lambda m: m._predictors[0][0].nodes["left"].__setitem__(0, 10**6)),
    )
    yield "k45-histogram's circle", _twisted(histogram, lambda m: m._predictors[0][0].nodes["left"].__setitem__(0, 0))
    yield "k46-neighbours", _kd_tree()
    nearest = KNeighborsClassifier(algorithm="brute").fit(X, Y)
    yield "k46-neighbours' labels", _twisted(nearest, lambda m: vars(m).update(_y=np.full(60, 10**6)))
    vectors = SVC().fit(X, Y)
    yield "k46-support vectors", _twisted(vectors, lambda m: vars(m).update(_n_support=np.array([10**6, 1], np.int32)))
    yield "k46-weights", _twisted(vectors, lambda m: vars(m).update(_dual_coef_=np.zeros((1, 1))))
    matrix = sparse.csr_matrix(X)
    yield "k46-sparse indices", _twisted(matrix, lambda m: vars(m).update(indices=m.indices + 10**6))
    yield "k46-sparse pointers", _twisted(matrix, lambda m: vars(m).update(indptr=m.indptr + 10**6))
    yield "k46-sparse pointers back", _twisted(matrix, lambda m: vars(m).update(indptr=m.indptr[::-1].copy()))
    yield "k46-negative indices", _twisted(matrix.tocsc(), lambda m: vars(m).update(indices=m.indices - 5))
    coordinates = matrix.tocoo()
    yield "k46-coordinates", _twisted(coordinates, lambda m: vars(m).update(coords=(m.row + 10**6, m.col)))
    generator = np.random.RandomState(0)
    state = generator.__reduce__()[2]
    yield "k30-random numbers", _state(generator, state={**state["state"], "pos": 10**9})


def _machine() -> Iterator[tuple[str, bytes]]:
    """What the machine can be told that no pickler tells it."""
    model = text("sklearn.linear_model._logistic") + text("LogisticRegression") + b"\x93"
    frombuffer = text("numpy._core.numeric") + text("_frombuffer") + b"\x93"
    polluted = b"N}" + text("predict") + frombuffer + b"s\x86b"
    yield "k29-build on a class", program(model, polluted)
    yield "k29-build on a function", program(frombuffer, polluted)
    yield "k29-build on a memoised class", program(model, b"\x940h\x00", polluted)
    yield "k29-build on a module", program(text("sklearn.linear_model"), text("os"), b"\x93", polluted)
    yield "k29-build on a list", program(b"]}b")
    yield "k29-state set twice", program(model, b")\x81}b}b")
    yield "k29-state changed later", program(model, b")\x81}\x94bh\x00", text("a"), b"K\x01s0")
    yield "k29-items on a class", program(model, text("predict"), b"K\x01s")
    yield "k31-a call of what was made", program(model, b")\x81)R")
    yield "k31-a constructor that is not used", program(model, b")R")
    yield "k28-inst", b"(X\x04\x00\x00\x00trueiposix\nsystem\n."
    yield "k28-obj", program(b"(cposix\nsystem\n", text("true"), b"o")
    yield "k28-newobj_ex", program(model, b")}\x92")
    for opcode in (b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00"):
        yield f"k28-ext {opcode!r}", program(opcode)
    yield "k28-binpersid", program(b"K\x01Q")
    yield "k28-persid", b"Pposix\n."
    yield "k28-dup", program(b"K\x012\x86")
    yield "k28-out of band", b"\x80\x05\x97."
    yield "k26-text protocol", b"cposix\nsystem\n(S'true'\ntR."
    for protocol in (1, 2, 3, 4, 5):
        yield f"k26-protocol {protocol}", b"\x80" + bytes([protocol]) + b"cposix\nsystem\n(" + text("true") + b"tR."
    yield "k26-protocol 6", b"\x80\x06K\x01."
    yield (
        "k27-memoised strings",
        program(text("posix"), b"\x94", text("system"), b"\x94000h\x00h\x01\x93)R".replace(b"000", b"00")),
    )
    yield "k27-a name by numbers", program(b"K\x01K\x02\x93")
    for module, name in (
        ("POSIX", "system"),
        ("pоsix", "system"),
        ("posix\0", "system"),
        ("ｐosix", "system"),
        ("sklearn.svm", "os.system"),
    ):
        yield f"k34-name {module!r} {name}", program(text(module), text(name), b"\x93)R")
    yield "k35-memo out of turn", program(b"K\x01r\xff\xff\xff\x7f")
    yield "k35-memo twice", program(b"K\x01q\x00q\x00")
    yield "k35-laughing tuples", _laughs()
    yield "k35-deep tuples", program(b"}", b")" + b"\x85" * 100_000, b"K\x01s")
    yield "k36-number of 2 GB", program(b"\x8b\xff\xff\xff\x7f\x01")
    yield "k36-bytes of 2^62", program(b"\x8e" + struct.pack("<Q", 2**62))
    yield "k36-bytearray of 2^62", b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"."
    yield "k36-text of 2^62", program(b"\x8d" + struct.pack("<Q", 2**62))
    yield "k36-frame of 2^40", program(b"\x95" + struct.pack("<Q", 2**40) + b"K\x01")
    yield "k36-million marks", program(b"(" * 1_000_000)
    yield "k36-behind the end", pickle.dumps(1) + call("os.system", "true")
    yield "k36-two objects", program(b"K\x01K\x02")
    yield "k36-nothing", program()
    yield "k37-dtype of objects", pickle.dumps(_Kind(63))
    yield "k37-dtype's fields", pickle.dumps(_Fields())
    yield "k30-dtype changed after use", _changed_dtype()
    buffer = (
        b"(\x96"
        + struct.pack("<Q", 8)
        + bytes(8)
        + text("numpy")
        + text("dtype")
        + b"\x93"
        + text("i4")
        + b"\x89\x88\x87R"
    )
    yield "k30-array over too few bytes", b"\x80\x05" + frombuffer + buffer + b"K\x03\x85" + text("C") + b"tR."
    masked = np.ma.array([1.0]).__reduce__()[:2]
    yield "k30-masked array of nothing", pickle.dumps(_Reduced(*masked))
    yield "k37-dtype without its unit", pickle.dumps(_Kind(0, kind="m8"))
    yield "k37-dtype with metadata", pickle.dumps(_Kind(0, {"a": 1}))
    yield "k37-struct with objects", pickle.dumps(np.zeros(1, [("a", "O")]), protocol=4)
    yield "k30-array too short", pickle.dumps(_Short())
    yield "k30-array of nothing", pickle.dumps(_Unwritten())
    yield "k30-bytearray reserved", program(text("builtins"), text("bytearray"), b"\x93J\xff\xff\xff\x7f\x85R")
    yield (
        "k30-random generator",
        program(text("numpy.random._pickle"), text("__randomstate_ctor"), b"\x93", text("a"), model, b"\x86R"),
    )


def _wrapped(command: str) -> Iterator[tuple[str, bytes]]:
    """A gadget inside of what looks harmless."""
    gadget = _Gadget(command)
    plain = pickle.dumps(gadget)
    yield "k37-array of objects", pickle.dumps(np.array([1, gadget, "a"], dtype=object), protocol=4)
    yield "k30-parameter of a model", pickle.dumps(LogisticRegression(C=gadget))  # type: ignore[arg-type]
    yield "k30-scipy distribution", _distribution(command)
    for compress in (0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3)):
        file = io.BytesIO()
        joblib.dump([np.eye(3), gadget], file, compress=compress)
        yield f"k38-joblib {compress}", file.getvalue()
    for name, wrap in (("gzip", gzip.compress), ("bz2", bz2.compress), ("zlib", zlib.compress), ("xz", lzma.compress)):
        yield f"k39-{name}", wrap(plain)
        yield f"k39-{name} twice", wrap(wrap(plain))
    yield "k39-lz4", b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<I", len(plain) | 2**31) + plain + bytes(4)
    yield "k39-bomb", zlib.compress(bytes(20_000_000), 9)
    yield "k30-gadget after a model", pickle.dumps([LogisticRegression().fit(X, Y), gadget])


CASES = [
    *(
        (f"k{kind:02}-{name}", call(name, "touch {canary}"))
        for kind, names in GADGETS.items()
        for name in names.split()
    ),
    *_machine(),
    *_model_states(),
    *_wrapped("touch {canary}"),
]


@pytest.mark.timeout(30)  # it takes milliseconds
@pytest.mark.parametrize("data", [data for _, data in CASES], ids=[name for name, _ in CASES])
def test_it_is_refused_quickly_and_has_no_effect(data: bytes, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    # Of the same length, so that the sizes in the pickle stay right.
    data = data.replace(b"touch {canary}", b"touch canary  ")
    before = set(sys.modules), dict(os.environ), set(vars(LogisticRegression))
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        with pytest.raises(ModelError):
            loads(data, source="there")
    finally:
        os.chdir(here)
    assert not canary.exists()
    assert (dict(os.environ), set(vars(LogisticRegression))) == before[1:]
    foreign = {name.partition(".")[0] for name in set(sys.modules) - before[0]} - {"fitbook", "numpy", "yaml"}
    assert not foreign


def test_what_is_refused_is_untrusted_and_not_merely_damaged() -> None:
    damaged = {"number of 2 GB", "bytes of 2^62", "bytearray of 2^62", "text of 2^62", "frame of 2^40", "nothing"}
    for name, data in CASES:
        with pytest.raises(ModelError) as refused:
            loads(data, source="there")
        packed = name.startswith(("k38", "k39", "k40"))
        assert packed or isinstance(refused.value, UntrustedModel) or name[4:] in damaged, name


def test_another_name_of_the_same_package_is_not_trusted_with_one() -> None:  # k32
    for names in (
        ["sklearn.datasets"],
        ["sklearn.datasets.load_iris"],
        ["sklearn.datasets.*"],
        ["sklearn.datasets.fetch"],
    ):
        with trusting(names), pytest.raises(UntrustedModel, match="fetch_file"):
            loads(call("sklearn.datasets.fetch_file", "touch canary"), source="there")


def test_every_kind_has_its_cases() -> None:
    here = {int(name[1:3]) for name, _ in CASES}
    beside = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_m*.py"))
    assert here | {int(kind) for kind in re.findall(r"def test_k(\d\d)_", beside)} == set(range(1, 51))


def test_the_gadgets_would_have_an_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number, data in enumerate((pickle.dumps(_Gadget("touch canary")), _distribution("touch canary"))):
        pickle.loads(data)
        (tmp_path / "canary").rename(tmp_path / str(number))
