"""Arrays and dicts of estimators that compiled code takes on trust when they predict: each is as large as it must be."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.cluster import HDBSCAN, Birch, BisectingKMeans, KMeans, MiniBatchKMeans
from sklearn.covariance import EllipticEnvelope, EmpiricalCovariance
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.metrics.pairwise import pairwise_distances, rbf_kernel
from sklearn.neighbors import (
    BallTree,
    KDTree,
    KNeighborsClassifier,
    KNeighborsTransformer,
    LocalOutlierFactor,
    NearestNeighbors,
)
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, MultiLabelBinarizer, OneHotEncoder
from sklearn.svm import SVC, SVR, OneClassSVM

from fitbook.errors import UntrustedModel
from fitbook.flavors._trust import loads

X = np.random.RandomState(0).uniform(size=(60, 4))
Y, Z = (X[:, 0] > 0.5).astype(int), np.arange(60) % 3
WORDS = [{"a": 1, "b": "x"}, {"c": 2}]
TAGS = ["x", "yz"]
KINDS = np.array([["u", "v", "w", "u", "u", "u"], ["x", "y", "x", "y", "x", "y"]], dtype=object).T
WIDE = [f"word{n}" for n in range(5000)]


class By:
    """Pickled as a call of what it is given, with a state."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


def used(model: Any, *data: Any) -> Any:
    model.transform(*data)
    return model


def tree(model: Any) -> Any:
    copy = pickle.loads(pickle.dumps(model._bisecting_tree))
    copy.left.center = copy.left.center[:1]
    return copy


def weights(model: Any) -> Any:
    return sparse.csr_matrix(model._dual_coef_.shape)


GRID = SVC().fit(sparse.csr_matrix(X), Z)
PRE = SVC(kernel="precomputed").fit(X @ X.T, Y)
HALVES = BisectingKMeans(3, random_state=0).fit(X)
RARE = OneHotEncoder(drop="first", min_frequency=2, handle_unknown="infrequent_if_exist").fit(KINDS)
LINKS = HDBSCAN(copy=True).fit(X)
BRUTE = KNeighborsClassifier(algorithm="brute").fit(X, Z)

CASES: list[tuple[Any, dict[str, Any]]] = [
    *(
        (kind(2, n_init=1, random_state=0).fit(X), changes)
        for kind in (KMeans, MiniBatchKMeans)
        for changes in ({"cluster_centers_": np.zeros((9, 1))}, {"n_features_in_": 9}, {"_n_threads": 10**9})
    ),
    (MiniBatchKMeans(2, n_init=1).fit(X), {"_counts": np.zeros(1)}),
    (HALVES, {"cluster_centers_": np.zeros((3, 1))}),
    (HALVES, {"_bisecting_tree": tree(HALVES)}),
    (HALVES, {"_bisecting_tree": KMeans()}),
    (HALVES, {"_X_mean": np.zeros((3, 4))}),
    (Birch(n_clusters=None).fit(X), {"_subcluster_norms": np.zeros(1)}),
    (LINKS, {"_single_linkage_tree_": np.full_like(LINKS._single_linkage_tree_, 2**40)}),
    *((kind(n_features=8), {"n_features": n}) for kind in (FeatureHasher, HashingVectorizer) for n in (0, -1, 2**31)),
    *(
        (kind().fit(["a1 b2 c3"]), {"vocabulary_": words})
        for kind in (CountVectorizer, TfidfVectorizer)
        for words in ({"a1": 2**40}, {"a1": -1}, {"a1": 0, "b2": 2}, {"a1": 0.0}, {"a1": 0, 7: 1}, [1])
    ),
    (DictVectorizer().fit(WORDS), {"vocabulary_": {"a": 10**6, "b=x": 0, "c": 1}}),
    (DictVectorizer().fit(WORDS), {"vocabulary_": {**{word: n for n, word in enumerate(WIDE)}, "word3500": 5000}}),
    (used(MultiLabelBinarizer().fit(TAGS), TAGS), {"_cached_dict": {"x": 0, "y": 1, "z": 2**40}}),
    (used(MultiLabelBinarizer().fit(TAGS), TAGS), {"_cached_dict": {"x": 0}}),
    (OneHotEncoder().fit(KINDS), {"_n_features_outs": [1, 1]}),
    (OneHotEncoder(drop="if_binary").fit(KINDS), {"_drop_idx_after_grouping": np.array([None, 5], dtype=object)}),
    (RARE, {"_default_to_infrequent_mappings": [np.array([0, 2**40, 1]), None]}),
    (RARE, {"_default_to_infrequent_mappings": [None, None]}),
    (RARE, {"_infrequent_enabled": False}),
    (BRUTE, {"_fit_X": np.zeros((60, 1))}),
    (BRUTE, {"n_features_in_": 9}),
    (BRUTE, {"_y": np.zeros(1, int)}),
    (BRUTE, {"_y": np.full(60, 3)}),
    (BRUTE, {"effective_metric_params_": {"Y_norm_squared": np.zeros(1)}}),
    (BRUTE, {"_fit_X": np.full((60, 4), np.nan)}),
    (BRUTE, {"_fit_X": np.full((60, 4), 1e200)}),
    *(
        (BRUTE, {"effective_metric_params_": odd})
        for odd in ({"p": 1e9}, {"V": np.full(4, np.nan)}, {"w": np.full(4, 1e300)})
    ),
    (KNeighborsTransformer().fit(X), {"n_samples_fit_": 3}),
    (NearestNeighbors(algorithm="kd_tree").fit(X), {"_tree": KDTree(X[:, :2])}),
    (LocalOutlierFactor(algorithm="brute").fit(X), {"_fit_X": sparse.csr_matrix((60, 1))}),
    (GRID, {"_dual_coef_": weights(GRID)}),
    (GRID, {"support_vectors_": GRID.support_vectors_.tocoo()}),
    (GRID, {"kernel": "precomputed"}),
    (GRID, {"_impl": "epsilon_svr"}),
    (GRID, {"probability": True}),
    (SVC().fit(X, Z), {"_probA": np.zeros(1), "_probB": np.zeros(1)}),
    (SVC().fit(X, Z), {"_probA": np.zeros(3)}),
    (PRE, {"support_": np.full(PRE.support_.shape, 10**6, np.int32)}),
    (PRE, {"shape_fit_": (1, 1)}),
    (SVR().fit(X, Y), {"support_vectors_": X[:1]}),
    (SVR().fit(X, Y), {"_n_support": np.array([60, *range(50)], np.int32)}),
    (EllipticEnvelope(random_state=0).fit(X), {"precision_": np.eye(2)}),
    (EmpiricalCovariance().fit(X), {"covariance_": np.eye(5)}),
    (BRUTE, {"metric_params": {"VI": np.eye(2)}, "effective_metric_": "mahalanobis"}),
    (BRUTE, {"effective_metric_params_": {"VI": np.eye(2)}}),
    (FunctionTransformer(pairwise_distances), {"kw_args": {"metric": "mahalanobis", "VI": np.eye(1)}}),
    (FunctionTransformer(partial(pairwise_distances)), {"func": partial(pairwise_distances, VI=np.eye(1))}),
    (OneHotEncoder().fit([[1], [2], [3]]), {"categories_": [np.array([3, 1, 2])]}),
    (OneHotEncoder().fit([[1], [2], [3]]), {"categories_": [np.array([3, 1, 2], dtype=object)]}),
    (OneHotEncoder().fit([[1.0], [2.0], [np.nan]]), {"categories_": [np.array([np.nan, 1.0, 2.0])]}),
]


@pytest.mark.parametrize(
    ("model", "changes"), CASES, ids=lambda part: "+".join(part) if isinstance(part, dict) else None
)
def test_what_does_not_fit_is_refused(model: Any, changes: dict[str, Any]) -> None:
    copy = pickle.loads(pickle.dumps(model))
    assert set(changes) <= {*vars(copy), "_impl"}, "no such attribute"
    vars(copy).update(changes)
    for protocol in (4, 5):
        loads(pickle.dumps(model, protocol=protocol), source="here")
        with pytest.raises(UntrustedModel, match="is not loaded"):
            loads(pickle.dumps(copy, protocol=protocol), source="there")


@pytest.mark.parametrize("kind", [KDTree, BallTree])
@pytest.mark.parametrize("metric", ["minkowski", "mahalanobis", "seuclidean"])
def test_a_distance_weighs_as_many_features_as_there_are(kind: Any, metric: str) -> None:
    options = {"minkowski": {"p": 3}, "mahalanobis": {"V": np.eye(4)}, "seuclidean": {"V": np.ones(4)}}[metric]
    if (kind, metric) == (KDTree, "mahalanobis"):
        metric, options = "minkowski", {"p": 3, "w": np.ones(4)}
    if (kind, metric) == (KDTree, "seuclidean"):
        metric, options = "minkowski", {"p": 1.5}
    made = kind(X, metric=metric, **options)
    loaded: Any = loads(pickle.dumps(made), source="here")
    np.testing.assert_array_equal(loaded.query(X)[1], made.query(X)[1])
    make, args, state = made.__reduce__()
    distance = state[11].__reduce__()
    for weights in (
        (3.0, np.ones(2), np.ones((2, 2))),
        (3.0, np.ones((4, 1)), np.eye(4)),
        (3.0, np.ones(4), np.ones(4)),
    ):
        odd = By(*distance[:2], weights)
        with pytest.raises(UntrustedModel, match="distance|hold together"):
            loads(pickle.dumps(By(make, args, (*state[:11], odd, *state[12:]))), source="there")


def test_models_of_unusual_forms_are_loaded() -> None:
    words = " ".join(WIDE)
    for model, data in (
        (CountVectorizer().fit([words]), ["word7 word4999"]),
        (CountVectorizer(vocabulary=np.array(["a1", "b2"])).fit([""]), ["b2"]),
        (DictVectorizer().fit([dict.fromkeys(WIDE, 1)]), [{"word4999": 3}]),
        (used(MultiLabelBinarizer().fit([[1, 2], [3]]), [[1], [3]]), [[2]]),
        (RARE, KINDS),
        (KBinsDiscretizer(3, encode="onehot", strategy="uniform").fit(X), X),
        (SVC(kernel=rbf_kernel).fit(X, Z), X),
        (PRE, X @ X.T),
        (OneClassSVM().fit(sparse.csr_matrix(X)), X),
        (KNeighborsClassifier(metric="precomputed").fit(abs(X @ X.T), Z), abs(X @ X.T)),
        (KNeighborsClassifier(algorithm="brute").fit(sparse.csr_matrix(X), np.column_stack([Z, Y])), X),
    ):
        loaded: Any = loads(pickle.dumps(model), source="here")
        ask = "transform" if hasattr(model, "transform") else "predict"
        one, other = (getattr(made, ask)(data) for made in (model, loaded))
        assert (one != other).sum() == 0
