"""Everything that scikit-learn fits is loaded without anybody trusting anything, and predicts as before."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.neighbors import KDTree
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from fitbook.errors import UntrustedModel
from fitbook.flavors._trust import loads
from fitbook.testing.host_suite import METHODS, Case, cases

X = np.random.RandomState(0).uniform(size=(60, 4))
Y = np.tile([0, 1], 30)
with pd.option_context("mode.string_storage", "python"):  # what Arrow keeps is not loaded: see below
    TABLE = pd.DataFrame(X, columns=list("abcd")).assign(e=list("xyz") * 20)


def same(one: Any, other: Any) -> None:
    if sparse.issparse(one):
        one, other = one.toarray(), other.toarray()
    if isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same(a, b)
    else:
        np.testing.assert_array_equal(one, other)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", cases(), ids=str)
def test_every_estimator_is_loaded_and_predicts_as_before(case: Case) -> None:
    model = case.make()
    if case.name == "TSNE":
        model.set_params(max_iter=250)  # seconds less
    model.fit(*case.data)
    loads(pickle.dumps(model, protocol=4), source="here")
    data = pickle.dumps(model, protocol=5)
    plain, loaded = pickle.loads(data), loads(data, source="here")
    assert type(loaded) is type(model)
    for name in METHODS:
        try:
            np.random.seed(0)
            expected = getattr(plain, name)(case.data[0])
        except Exception:
            continue
        np.random.seed(0)
        same(expected, getattr(loaded, name)(case.data[0]))


OTHERS = {
    "text": make_pipeline(StandardScaler(), LogisticRegression()),
    "labels": RandomForestClassifier(5),
    "grid": GridSearchCV(RandomForestClassifier(3, random_state=0), {"max_depth": [1, 2]}, cv=3),
    "distributions": RandomizedSearchCV(Ridge(), {"alpha": stats.loguniform(1, 9)}, n_iter=2, random_state=0),
    "generator": RandomForestClassifier(3, random_state=np.random.RandomState(0)),
    "function": make_pipeline(FunctionTransformer(np.log1p), Ridge()),
    "selection": make_pipeline(SelectKBest(f_regression, k=2), Ridge()),
    "categories": HistGradientBoostingClassifier(max_iter=3, categorical_features=[0]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OTHERS)
def test_compositions_are_loaded(name: str) -> None:
    data = np.column_stack([np.arange(60) % 5, X[:, 1:]]) if name == "categories" else X
    model = OTHERS[name].fit(data, Y)
    same(model.predict(data), loads(pickle.dumps(model, protocol=5), source="here").predict(data))  # type: ignore[attr-defined]


def test_tables_and_their_columns_are_loaded() -> None:
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["e"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(TABLE, Y)
    same(model.predict(TABLE), loads(pickle.dumps(model), source="here").predict(TABLE))  # type: ignore[attr-defined]
    pd.testing.assert_frame_equal(loads(pickle.dumps(TABLE), source="here"), TABLE)  # type: ignore[arg-type]


def test_columns_that_arrow_keeps_are_refused_by_name() -> None:
    column = pd.Series(["x", "y"], dtype="string[pyarrow]")
    with pytest.raises(UntrustedModel, match=r"ArrowStringArray.*pyarrow\.lib\._restore_array"):
        loads(pickle.dumps(column), source="here")


@pytest.mark.parametrize(
    "value",
    [
        *(np.array([1, 2], "datetime64[s]"), np.zeros(2, [("a", "f8"), ("b", "i4")]), np.array(["a", None], object)),
        *(
            np.ma.masked_array([1.0, 2.0], [True, False]),
            np.asfortranarray(np.eye(3)),
            np.zeros((0, 3)),
            np.array("ab"),
        ),
        *(np.float32(1), np.datetime64("2020-01-01"), np.array([b"a"])),
    ],
    ids=repr,
)
def test_arrays_and_numbers_are_loaded(value: Any) -> None:
    for protocol in (4, 5):
        loaded: Any = loads(pickle.dumps(value, protocol=protocol), source="here")
        assert loaded.dtype == value.dtype
        np.testing.assert_array_equal(loaded, value)


def test_sparse_matrices_and_trees_of_neighbours_are_loaded() -> None:
    for kind in (sparse.csr_matrix, sparse.csc_array, sparse.coo_array, sparse.bsr_matrix, sparse.dia_array):
        same(kind(X), loads(pickle.dumps(kind(X)), source="here"))
    loaded: Any = loads(pickle.dumps(KDTree(X)), source="here")
    np.testing.assert_array_equal(loaded.query(X)[1], KDTree(X).query(X)[1])


def test_large_vocabularies_are_passed_over_quickly_and_come_back_whole() -> None:
    for value in (
        {f"word{n}": n for n in range(30_000)},
        [f"word{n}" for n in range(30_000)],
        {n: n * 0.5 for n in range(30_000)},
        [*range(30_000)],
        [{f"a{n}" for n in range(5000)}, LogisticRegression().fit(X, Y).coef_.tolist()],
    ):
        assert loads(pickle.dumps(value, protocol=5), source="here") == value


def test_boosting_libraries_are_loaded() -> None:
    from catboost import CatBoostClassifier
    from lightgbm import LGBMClassifier
    from xgboost import XGBClassifier

    for model in (
        XGBClassifier(n_estimators=2),
        LGBMClassifier(n_estimators=2, verbose=-1),
        CatBoostClassifier(iterations=2, verbose=0, allow_writing_files=False),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, Y)
            loaded: Any = loads(pickle.dumps(model), source="here")
            same(model.predict(X), loaded.predict(X))
