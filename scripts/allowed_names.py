"""Write the list of names that a model's pickle may hold without anybody trusting it: ``fitbook/flavors/allowed.txt``.

    python scripts/allowed_names.py            # adds what the installed versions of the libraries need
    python scripts/allowed_names.py --show     # says what would be added

Every estimator is fitted and pickled, and what its pickle names is noted with how it is used. Run it in an environment
for each minor version of scikit-learn that is supported: the list is the union, and only ever grows by what was needed.
Read the difference before it is kept: a name that is called must do nothing but build an object.
"""

from __future__ import annotations

import argparse
import importlib
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.utils import all_estimators

from fitbook.flavors._scan import Scanner
from fitbook.testing import host_suite

LIST = Path(__file__).parents[1] / "fitbook" / "flavors" / "allowed.txt"
HEAD = """\
# What a model's pickle may name without being trusted: how it may be used, module, name. "call" and "make" build an
# object, by a call or without the constructor; "name" is a value that is passed on. Exact names, no patterns.
# Written by scripts/allowed_names.py from fitted models; a test holds every line against the rules.
"""

# What looks harmless and is not: anything else may be passed on, but never called.
_BUILDS_ONLY = (
    "numpy ",
    "numpy.",
    "sklearn.",
    "scipy.",
    "pandas",
    "builtins ",
    "collections ",
    "datetime ",
    "xgboost.",
    "lightgbm.",
    "catboost.",
    "imblearn.",
    "functools ",
    "functools partial",
    "_loss ",
)


def models() -> Iterator[tuple[str, Any]]:
    """Fitted models of every kind, with a label each."""
    for name, kind in all_estimators():
        for estimator in host_suite.instances(kind):
            data = host_suite.data_for(name, estimator)
            yield name, lambda estimator=estimator, data=data: clone(estimator).fit(*data)
    for maker in (_parts, _composed, _tables, _libraries):
        yield from maker()


def _data() -> tuple[Any, Any]:
    rng = np.random.RandomState(0)
    return rng.uniform(1, 2, (60, 4)), np.tile([0, 1], 30)


def _parts() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Values that parameters take: losses, kernels, metrics, scorers, splitters, distributions, random numbers."""
    import sklearn.gaussian_process.kernels as kernels
    from sklearn import feature_selection, metrics, model_selection, neighbors
    from sklearn.utils import Bunch

    for value in (
        *(np.dtype(kind).type(0) for kind in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")),
        *(np.complex64(1), np.complex128(1), np.longdouble(1), np.str_("a"), np.bytes_(b"a")),
        *(np.datetime64("2020-01-01"), np.timedelta64(1, "s"), np.ma.masked_array([1.0, 2.0], [True, False])),
        *(np.random.RandomState(0), np.random.default_rng(0)),
        *(np.random.Generator(kind(1)) for kind in (np.random.MT19937, np.random.Philox, np.random.SFC64)),
        *(np.array(["a", None], object), np.asfortranarray(np.eye(3)), np.array(["a"]), np.eye(3)[::2]),
        *(np.array([1], dtype="datetime64[s]"), np.zeros(2, dtype=[("a", "f8"), ("b", "i4", (2,))])),
        *(kind(np.eye(3)) for kind in (sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix, sparse.bsr_matrix)),
        *(kind(np.eye(3)) for kind in (sparse.csr_array, sparse.csc_array, sparse.coo_array, sparse.bsr_array)),
        *(kind(np.eye(3)) for kind in (sparse.dia_matrix, sparse.dia_array)),
        *(int, float, str, bool, object, list, dict, tuple, set, complex, bytes, len, sorted, slice(1, 2), range(3)),
        *(set("a"), frozenset("a"), bytearray(b"a"), complex(1, 2), 10**50, Bunch(a=1)),
        *(metrics.get_scorer(name) for name in metrics.get_scorer_names()),
        *(metrics.make_scorer(metrics.fbeta_score, beta=2), metrics.make_scorer(metrics.mean_pinball_loss)),
        *(
            getattr(metrics.pairwise, name)
            for name in dir(metrics.pairwise)
            if name.endswith(("_distances", "_kernel"))
        ),
        *(getattr(feature_selection, name) for name in ("f_classif", "f_regression", "chi2", "r_regression")),
        *(feature_selection.mutual_info_classif, feature_selection.mutual_info_regression),
        *(getattr(stats, name)(*args) for name, *args in _DISTRIBUTIONS),
        *(getattr(np, name) for name in dir(np) if isinstance(getattr(np, name), np.ufunc)),
        *(np.mean, np.median, np.std, np.sum, np.nan_to_num),
        pd.Timestamp("2020-01-01"),
        pd.Timestamp("2020-01-01", tz="UTC"),
        pd.Timedelta(1),
        pd.NA,
        pd.NaT,
        pd.Interval(0, 1),
        pd.Period("2020-01"),
        pd.CategoricalDtype(["a"]),
        pd.Int64Dtype(),
        pd.StringDtype(),
        pd.BooleanDtype(),
        pd.Float64Dtype(),
    ):
        yield repr(value)[:60], lambda value=value: value
    import datetime
    from collections import Counter, OrderedDict, defaultdict, deque

    for value in (
        *(datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), datetime.timedelta(1)),
        *(OrderedDict(a=1), defaultdict(int, a=1), defaultdict(list), deque([1]), Counter("a")),
    ):
        yield repr(value), lambda value=value: value
    for name in model_selection.__all__:
        if name.endswith(("Fold", "Split", "Out", "Splitter")) and not name.startswith("Base"):
            kind, args = (
                getattr(model_selection, name),
                {"LeavePOut": (2,), "LeavePGroupsOut": (2,), "PredefinedSplit": ([0],)},
            )
            given = args.get(name, ())
            yield name, lambda kind=kind, given=given: kind(*given)
    for kernel in (
        *(kernels.RBF() + kernels.WhiteKernel(), kernels.ConstantKernel() * kernels.Matern(), kernels.RBF() ** 2),
        *(kernels.RationalQuadratic(), kernels.ExpSineSquared(), kernels.DotProduct(), kernels.PairwiseKernel()),
        kernels.CompoundKernel([kernels.RBF()]),
    ):
        yield repr(kernel), lambda kernel=kernel: kernel
    X, _ = _data()
    for tree in (neighbors.KDTree, neighbors.BallTree):
        for metric in tree.valid_metrics if not callable(tree.valid_metrics) else tree.valid_metrics():
            yield f"{tree.__name__} {metric}", lambda tree=tree, metric=metric: tree(X, metric=metric)
    for name in ("cosine", "mahalanobis", "seuclidean", "minkowski"):
        more = {"mahalanobis": {"V": np.eye(4)}, "seuclidean": {"V": np.ones(4)}, "minkowski": {"p": 3}}.get(name, {})
        for kind in ("BallTree", "KDTree"):
            if name != "cosine":
                yield (
                    f"{kind} {name}",
                    lambda kind=kind, name=name, more=more: getattr(neighbors, kind)(X, metric=name, **more),
                )


_DISTRIBUTIONS = (
    *(("uniform", 0, 1), ("loguniform", 1, 10), ("reciprocal", 1, 10), ("randint", 1, 9), ("norm",), ("expon",)),
    *(
        ("gamma", 1),
        ("beta", 1, 1),
        ("lognorm", 1),
        ("poisson", 1),
        ("geom", 0.5),
        ("binom", 3, 0.5),
        ("truncnorm", 0, 1),
    ),
    *(
        ("t", 3),
        ("chi2", 3),
        ("bernoulli", 0.5),
        ("triang", 0.5),
        ("zipf", 2),
        ("halfnorm",),
        ("cauchy",),
        ("laplace",),
    ),
)


def _composed() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Options of estimators that bring other classes with them."""
    X, y = _data()
    from sklearn import (
        compose,
        ensemble,
        gaussian_process,
        linear_model,
        model_selection,
        neighbors,
        pipeline,
        preprocessing,
        svm,
        tree,
    )

    positive = X.sum(axis=1)
    gradient = ensemble.HistGradientBoostingRegressor
    options: list[tuple[Any, Any]] = [
        *(
            (gradient(loss=name, max_iter=2, quantile=0.5), positive)
            for name in ("squared_error", "absolute_error", "gamma", "poisson", "quantile")
        ),
        *(
            (ensemble.GradientBoostingRegressor(loss=name, n_estimators=2), positive)
            for name in ("squared_error", "absolute_error", "huber", "quantile")
        ),
        *((ensemble.GradientBoostingClassifier(loss=name, n_estimators=2), y) for name in ("log_loss", "exponential")),
        *(
            (linear_model.SGDClassifier(loss=name), y)
            for name in (
                "hinge",
                "log_loss",
                "modified_huber",
                "squared_hinge",
                "perceptron",
                "huber",
                "epsilon_insensitive",
            )
        ),
        *(
            (linear_model.SGDRegressor(loss=name), y)
            for name in ("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive")
        ),
        *((linear_model.TweedieRegressor(power=power), positive) for power in (0, 1, 1.5, 2, 3)),
        (ensemble.HistGradientBoostingClassifier(max_iter=2, early_stopping=True, categorical_features=[0]), y),
        (ensemble.HistGradientBoostingClassifier(max_iter=2), np.arange(60) % 3),
        (ensemble.GradientBoostingClassifier(n_estimators=2), np.arange(60) % 3),
        (ensemble.RandomForestClassifier(3, random_state=np.random.RandomState(0)), np.column_stack([y, 1 - y])),
        *(
            (tree.DecisionTreeRegressor(criterion=name, splitter=splitter), positive)
            for splitter in ("best", "random")
            for name in ("squared_error", "friedman_mse", "absolute_error", "poisson")
        ),
        *((tree.DecisionTreeClassifier(criterion=name), y.astype(str)) for name in ("gini", "entropy", "log_loss")),
        *((neighbors.KNeighborsClassifier(algorithm=name), y) for name in ("kd_tree", "ball_tree", "brute")),
        *(
            (neighbors.KernelDensity(algorithm=name, kernel=kernel), y)
            for name in ("kd_tree", "ball_tree")
            for kernel in ("gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine")
        ),
        (gaussian_process.GaussianProcessClassifier(), np.arange(60) % 3),
        (svm.SVC(kernel="linear", probability=False), y),
        (preprocessing.FunctionTransformer(np.log1p, np.expm1), y),
        (preprocessing.SplineTransformer(), y),
        (preprocessing.KBinsDiscretizer(3, strategy="uniform"), y),
        (linear_model.LogisticRegressionCV(cv=3, max_iter=500, scoring="accuracy"), y),
        (pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC()), y),
        (model_selection.RandomizedSearchCV(linear_model.Ridge(), {"alpha": stats.loguniform(1, 9)}, n_iter=2), y),
        (model_selection.GridSearchCV(ensemble.RandomForestClassifier(2), {"max_depth": [1, 2]}, cv=3), y),
        (compose.TransformedTargetRegressor(linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1), positive),
    ]
    for estimator, target in options:
        for data in (X, sparse.csr_matrix(X)):
            yield repr(estimator)[:60], lambda e=estimator, data=data, target=target: e.fit(data, target)


def _tables() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Pipelines over tables with columns of several kinds."""
    from sklearn import compose, linear_model, pipeline, preprocessing

    X, y = _data()
    table = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(c=list("xyz") * 20, d=pd.Categorical(list("uv") * 30))
    for kind in ("default", "pandas"):
        for columns in (compose.make_column_selector(dtype_include=object), ["c", "d"], slice(2, 4), [2, 3]):
            encode = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False)
            parts = compose.ColumnTransformer([("e", encode, columns)], remainder="passthrough")
            parts.set_output(transform=kind)
            model = pipeline.make_pipeline(parts, linear_model.Ridge())
            yield f"table {kind} {columns}", lambda model=model, part=table: model.fit(part, y)
    for encoder in (preprocessing.OrdinalEncoder(), preprocessing.TargetEncoder()):
        yield repr(encoder), lambda encoder=encoder: encoder.fit(table[["c", "d"]], y)
    for frame in (table, table.set_index("c"), table["a"], table["c"], table.index, table.columns, table.dtypes):
        yield f"pandas {type(frame).__name__}", lambda frame=frame: frame


def _libraries() -> Iterator[tuple[str, Callable[[], Any]]]:
    """What boosting libraries' estimators need, where they are installed."""
    X, y = _data()
    made: list[tuple[str, str, dict[str, Any]]] = [
        *(
            ("xgboost", name, {"n_estimators": 2})
            for name in ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")
        ),
        *(("lightgbm", name, {"n_estimators": 2, "verbose": -1}) for name in ("LGBMClassifier", "LGBMRegressor")),
        *(
            ("catboost", name, {"iterations": 2, "verbose": 0, "allow_writing_files": False})
            for name in ("CatBoostClassifier", "CatBoostRegressor")
        ),
    ]
    for module, name, options in made:
        try:
            kind = getattr(importlib.import_module(module), name)
        except ImportError:
            continue
        yield name, lambda kind=kind, options=options: kind(**options).fit(X, y)
        if module == "xgboost":
            yield f"{name}'s booster", lambda kind=kind, options=options: kind(**options).fit(X, y).get_booster()
        if module == "lightgbm":
            yield f"{name}'s booster", lambda kind=kind, options=options: kind(**options).fit(X, y).booster_
    try:
        from imblearn.utils.testing import all_estimators
    except ImportError:
        return
    for name, kind in all_estimators():
        yield name, lambda kind=kind: kind().fit(X, np.r_[np.zeros(40), np.ones(20)])


def needed() -> dict[str, set[str]]:
    """How each name is used, by name, and which models could not be looked at."""
    found: dict[str, set[str]] = {}
    for label, make in models():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = make()
                pickles = [pickle.dumps(model, protocol=protocol) for protocol in (4, 5)]
        except Exception as error:
            print(f"left out: {label}: {error!r:.90}")
            continue
        for data in pickles:
            scanner = Scanner(data)
            scanner.scan()
            for use, names in (("call", scanner.called), ("make", scanner.made), ("name", scanner.passed)):
                for name in names:
                    found.setdefault(name, set()).add(use)
    return found


def main() -> None:
    """Add what is needed here to the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="only say what would be added")
    options = parser.parse_args()
    listed = set(LIST.read_text().splitlines()[HEAD.count("\n") :]) if LIST.exists() else set()
    lines = {f"{use} {name}" for name, uses in needed().items() for use in uses}
    for line in sorted(lines - listed):
        print(f"new: {line}")
        if line.startswith("call ") and not line[5:].startswith(_BUILDS_ONLY):
            raise SystemExit(f"{line!r} calls something of another library: look at it, then name the library here.")
    if not options.show:
        LIST.write_text(
            HEAD + "".join(f"{line}\n" for line in sorted(lines | listed, key=lambda line: (line.split()[1:], line)))
        )


if __name__ == "__main__":
    main()
