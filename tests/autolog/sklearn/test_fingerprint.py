import json
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fitbook.autolog.sklearn._content import FULL_BYTES
from fitbook.autolog.sklearn._fingerprint import UNKNOWN, digest_of, fingerprint

rng = np.random.default_rng(0)
A = rng.random((50, 4))


def frame():
    return pd.DataFrame(
        {
            "f": [0.5, np.nan, 2.0],
            "i": [1, 2, 3],
            "s": ["a", None, "c"],
            "c": pd.Categorical(["u", "v", "u"]),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "b": [True, False, True],
            "t": pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01"]),
            "z": pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01"]).tz_localize("UTC"),
            "o": pd.Series([1, "x", (2, 3)], dtype=object),
            "w": pd.Series([pd.Timestamp("2020"), 1.5, None], dtype=object),
        }
    )


def inputs():
    return {
        "array": A,
        "vector": A[:, 0],
        "int8": np.arange(6, dtype=np.int8),
        "strings": np.array(["a", "bb"]),
        "objects": np.array([1, "a", None], dtype=object),
        "dates": np.array(["2020-01-01"], dtype="datetime64[s]"),
        "empty": np.empty((0, 3)),
        "scalar": np.array(1.0),
        "frame": frame(),
        "series": frame()["s"],
        "wide": pd.DataFrame(rng.random((3, 700))).astype(dict.fromkeys(range(600), str)),
        "csr": scipy.sparse.csr_matrix(A > 0.9),
        "csc": scipy.sparse.csc_array(A > 0.9),
        "coo": scipy.sparse.coo_matrix(A > 0.9),
        "list": [[1.0, 2.0], [3.0, 4.0]],
        "documents": ["one", "two"],
        "empty list": [],
        "arrays in a list": [np.arange(3), np.arange(3)],
    }


@pytest.mark.parametrize("name", inputs())
def test_everything_readable_has_a_digest_that_copies_share(name):
    data = inputs()[name]
    found = fingerprint(data)
    assert len(found.digest) == 16
    assert int(found.digest, 16)
    assert digest_of(data.copy()) == found.digest
    assert not found.sampled or name == "wide"


def test_digests_differ():
    digests = [digest_of(data) for data in inputs().values()]
    assert len(set(digests)) == len(digests)


def test_memory_layout_does_not_count():
    expected = digest_of(A)
    assert digest_of(np.asfortranarray(A)) == expected
    assert digest_of(np.repeat(A, 2, axis=0)[::2]) == expected
    assert digest_of(np.concatenate([A, A], axis=1)[:, :4]) == expected


def test_layout_does_not_count_in_large_data():
    big = rng.random((70_000, 40))
    assert big.nbytes > FULL_BYTES
    found = fingerprint(big)
    assert found.sampled
    assert json.loads(found.profile_json)["digest_sampled"]
    assert digest_of(np.asfortranarray(big)) == found.digest
    changed = big.copy()
    changed[-1, -1] += 1
    assert digest_of(changed) != found.digest
    wide = fingerprint(pd.DataFrame(big))
    assert wide.sampled
    assert wide.digest != found.digest


def test_blocks_of_a_frame_do_not_count():
    whole = pd.DataFrame(A, columns=list("abcd"))
    pieces = pd.concat([whole[[c]].copy() for c in "abcd"], axis=1)
    assert digest_of(pieces) == digest_of(whole)


def test_order_and_names_and_types_count():
    base = digest_of(pd.DataFrame(A, columns=list("abcd")))
    assert digest_of(pd.DataFrame(A, columns=list("abce"))) != base
    assert digest_of(pd.DataFrame(A, columns=list("abcd"))[["b", "a", "c", "d"]]) != base
    assert digest_of(pd.DataFrame(A[::-1], columns=list("abcd"))) != base
    assert digest_of(A[::-1]) != digest_of(A)
    assert digest_of(A.astype(np.float32)) != digest_of(A)
    assert digest_of(A.reshape(4, 50)) != digest_of(A)
    assert fingerprint(A, A[:, 0]).digest != fingerprint(A).digest


@given(hnp.arrays(np.float64, (5, 3)), st.integers(0, 4), st.integers(0, 2), st.floats())
def test_any_changed_cell_changes_the_digest(array, i, j, value):
    changed = array.copy()
    changed[i, j] = value
    assert (digest_of(changed) == digest_of(array)) == (changed.tobytes() == array.tobytes())


@given(st.lists(st.text()), st.lists(st.text()))
def test_lists_of_text(one, other):
    assert (digest_of(one) == digest_of(other)) == (one == other)


def test_one_string_twice_is_like_two_equal_strings():
    text = "".join(["ab", "cd"])
    assert digest_of([text, text]) == digest_of(["".join(["ab", "cd"]), "".join(["abc", "d"])])


def test_another_process_finds_the_same():
    code = """
        import numpy as np, pandas as pd
        from fitbook.autolog.sklearn._fingerprint import digest_of
        print(digest_of(np.arange(12.0).reshape(4, 3)))
        print(digest_of(pd.DataFrame({"a": ["x", "y"], "c": pd.Categorical(["p", "q"]), "o": [{"k"}, 1]})["a"]))
        print(digest_of(["one", "two", 3.5]))
    """
    out = {subprocess.check_output([sys.executable, "-c", textwrap.dedent(code)], text=True) for _ in range(2)}
    assert len(out) == 1
    here = [digest_of(np.arange(12.0).reshape(4, 3)), digest_of(pd.Series(["x", "y"], name="a"))]
    assert out.pop().split() == [*here, digest_of(["one", "two", 3.5])]


class Cell:
    """Its repr holds an address."""


class Strange:
    shape = property(lambda self: 1 / 0)


def test_what_cannot_be_read_is_unknown():
    for data in (object(), Strange(), iter([1]), {"a": 1}, np.array([Cell()]), [Cell()], None):
        assert fingerprint(data).digest == UNKNOWN


def test_generators_are_not_consumed():
    rows = iter([1, 2, 3])
    fingerprint(rows)
    assert list(rows) == [1, 2, 3]


def test_inputs_are_not_changed():
    table, array = frame(), A.copy()
    fingerprint(table, array)
    pd.testing.assert_frame_equal(table, frame())
    assert np.array_equal(array, A)


def test_a_memory_map_is_sampled(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, rng.random((40_000, 10)))
    mapped = np.load(path, mmap_mode="r")
    found = fingerprint(mapped)
    assert found.sampled
    assert found.digest == fingerprint(np.load(path, mmap_mode="r")).digest


def test_many_strings_are_sampled():
    found = fingerprint([f"text {i}" for i in range(200_000)])
    assert found.sampled
    assert found.digest != UNKNOWN


def test_schema_of_a_table_is_mlflows():
    found = fingerprint(frame())
    columns = json.loads(found.schema_json)["mlflow_colspec"]
    assert [(c["name"], c["type"], c["required"]) for c in columns] == [
        ("f", "double", False),
        ("i", "long", True),
        ("s", "string", False),
        ("c", "string", True),
        ("n", "long", False),
        ("b", "boolean", True),
        ("t", "datetime", True),
        ("z", "datetime", True),
        ("o", "string", True),
        ("w", "string", False),
    ]
    assert found.feature_names == tuple("fiscnbtzow")
    profile = json.loads(found.profile_json)
    assert (profile["num_rows"], profile["num_elements"]) == (3, 30)


def test_schema_of_an_array_is_mlflows():
    found = fingerprint(A, np.arange(50))
    spec = json.loads(found.schema_json)["mlflow_tensorspec"]
    assert json.loads(spec["features"]) == [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}]
    assert json.loads(spec["targets"]) == [{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]
    assert (found.n_rows, found.n_features, found.dtypes, found.kind) == (50, 4, ("float64",), "numpy.ndarray")


def test_lists_have_a_shape():
    assert (fingerprint([[1, 2, 3], [4, 5, 6]]).n_rows, fingerprint([[1, 2, 3], [4, 5, 6]]).n_features) == (2, 3)
    assert fingerprint(["a", "b"]).n_features == 1
