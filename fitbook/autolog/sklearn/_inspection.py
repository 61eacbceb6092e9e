"""What scikit-learn's functions of cross-validation and inspection have found: from what they return to plain data."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fitbook import _validate
from fitbook.autolog._config import Config
from fitbook.autolog.sklearn import _charts, _plots
from fitbook.autolog.sklearn._facts import Facts
from fitbook.autolog.sklearn._held_out import out_of_fold_report
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._params import text_of_argument
from fitbook.autolog.sklearn._table import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = Lazy("numpy")

Arguments = Mapping[str, Any]

_MAX_FEATURES = 100
_MAX_PICTURES = 10


def found(function: str, arguments: Arguments, result: Any, config: Config, *, deadline: float) -> Facts:
    """What a call of one of scikit-learn's functions has led to.

    Parameters
    ----------
    function : str
    arguments : mapping of str to object
        What it was called with, defaults included.
    result : object
        What it has returned.
    config : Config
    deadline : float
        Reading of ``time.perf_counter()`` until which metrics of predictions may be computed.
    """
    facts = Facts()
    with np.errstate(all="ignore"):
        if function == "cross_val_predict":
            _cross_val_predict(facts, arguments, result, config, deadline)
        else:
            _READERS[function](facts, arguments, result)
    return facts


def _cross_val_predict(facts: Facts, arguments: Arguments, result: Any, config: Config, deadline: float) -> None:
    report = out_of_fold_report(
        arguments["estimator"],
        arguments["y"],
        result,
        arguments["method"],
        deadline=deadline,
        sampling=config.sampling,
        pos_label=config.pos_label,
    )
    if not config.log_input_examples:
        report.curves.pop("predicted_vs_true", None)  # rows of the data, which is not stored unasked
    facts.metrics, facts.notes = report.metrics, report.notes
    facts.tables, facts.pictures = report.tables(), _plots.pictures(report)


def _cross_validate(facts: Facts, arguments: Arguments, result: Any) -> None:
    found = {key: values for key, values in result.items() if key not in ("estimator", "indices")}
    columns = {str(key): np.asarray(values, dtype=np.float64) for key, values in found.items()}
    n = len(next(iter(columns.values())))
    for name, values in columns.items():
        facts.curve(name, values)
        facts.metrics |= _summary(name, values)
    facts.tables["folds.csv"] = Table({"fold": list(range(n)), **columns}, "folds")
    tests = [name.removeprefix("test_") for name in columns if name.startswith("test_")]
    missing = np.isnan([columns[f"test_{name}"] for name in tests]).any(axis=0).sum()
    if missing:
        facts.tags["fitbook.failed_folds"] = f"{missing} of {n}"
        facts.notes.append(f"{missing} of {n} folds have no score, because their fit or their scorer failed")
    for name in tests[:_MAX_PICTURES]:
        lines = {f"{part}_{name}": (columns[f"{part}_{name}"], None) for part in _parts(columns, name)}
        file = "folds.png" if len(tests) == 1 else f"folds_{_validate.safe_key(name).replace('/', '_')}.png"
        facts.pictures[file] = functools.partial(
            _charts.curves, "Folds", _about(arguments, n), "fold", name, range(n), lines
        )


def _parts(columns: Mapping[str, Any], name: str) -> list[str]:
    return [part for part in ("test", "train") if f"{part}_{name}" in columns]


def _cross_val_score(facts: Facts, arguments: Arguments, result: Any) -> None:
    _cross_validate(facts, arguments, {"test_score": result})


def _learning_curve(facts: Facts, arguments: Arguments, result: Any) -> None:
    sizes, train, test, *times = result
    names = ("test_score", "train_score", "fit_time", "score_time")
    values = dict(zip(names, (test, train, *times), strict=False))
    _ticks(facts, values, sizes, {"train_size": sizes})
    _draw(facts, arguments, "learning_curve", "Learning curve", "training rows", sizes.tolist(), values)


def _validation_curve(facts: Facts, arguments: Arguments, result: Any) -> None:
    train, test = result
    name, shown = arguments["param_name"], [text_of_argument(value) for value in arguments["param_range"]]
    values = {"test_score": test, "train_score": train}
    _ticks(facts, values, range(len(shown)), {f"param_{name}": shown})
    mean = test.mean(axis=1)
    if np.isfinite(mean).any():
        best = int(np.nanargmax(mean))
        facts.metrics |= {"best_mean_test_score": float(mean[best]), "best_std_test_score": float(test[best].std())}
        facts.params[f"best_{name}"] = shown[best]
    _draw(facts, arguments, "validation_curve", "Validation curve", name, shown, values)


def _ticks(facts: Facts, values: Mapping[str, NDArray[Any]], steps: Any, first: Mapping[str, Any]) -> None:
    """Scores with one row for each tick of a curve and one column for each fold."""
    columns = dict(first)
    for name, scores in values.items():
        mean, std = scores.mean(axis=1), scores.std(axis=1)
        facts.curve(f"mean_{name}", mean, steps)
        facts.curve(f"std_{name}", std, steps)
        columns |= {f"mean_{name}": mean, f"std_{name}": std}
        columns |= {f"split{i}_{name}": column for i, column in enumerate(scores.T)}
    kind = "validation_curve" if isinstance(steps, range) else "learning_curve"
    facts.tables[f"{kind}.csv"] = Table(columns, kind)


def _draw(
    facts: Facts, arguments: Arguments, kind: str, title: str, xlabel: str, at: list[Any], values: Mapping[str, Any]
) -> None:
    lines = {name: (s.mean(axis=1), s.std(axis=1)) for name, s in values.items() if name.endswith("score")}
    about = _about(arguments, values["test_score"].shape[1])
    facts.pictures[f"{kind}.png"] = functools.partial(_charts.curves, title, about, xlabel, "score", at, lines)


def _permutation_test(facts: Facts, arguments: Arguments, result: Any) -> None:
    score, permuted, pvalue = result
    facts.metrics |= {"score": float(score), "pvalue": float(pvalue), **_summary("permutation_score", permuted)}
    facts.curve("permutation_score", permuted)
    table = Table({"permutation": list(range(len(permuted))), "score": permuted}, "permutation_scores")
    facts.tables["permutation_scores.csv"] = table
    name = f"score {score:.4g}, p = {pvalue:.3g}"
    facts.pictures["permutation_scores.png"] = functools.partial(
        _charts.among, "Permutation test", _about(arguments), "score with permuted targets", permuted, score, name
    )


def _permutation_importance(facts: Facts, arguments: Arguments, result: Any) -> None:
    several = "importances_mean" not in result
    for scorer, importances in result.items() if several else [("", result)]:
        _importances(facts, arguments["X"], importances, f"_{_validate.safe_key(str(scorer))}" if several else "")


def _importances(facts: Facts, X: Any, found: Any, ending: str) -> None:
    mean, std, repeats = found["importances_mean"], found["importances_std"], found["importances"]
    names = [str(name) for name in getattr(X, "columns", [f"x{i}" for i in range(len(mean))])]
    order = np.argsort(-np.abs(mean), kind="stable")
    kind = f"permutation_importances{ending}"
    columns: dict[str, Any] = {"feature": [names[i] for i in order], "importance": mean[order], "std": std[order]}
    columns |= {f"repeat{i}": repeat for i, repeat in enumerate(repeats[order].T)}
    facts.tables[f"{kind}.csv"] = Table(columns, kind)
    if len(mean) > _MAX_FEATURES:
        facts.notes.append(f"{kind}: the {_MAX_FEATURES} weightiest of {len(mean):,} are metrics, all are in the table")
    facts.metrics |= {f"permutation_importance{ending}_{names[i]}": float(mean[i]) for i in order[:_MAX_FEATURES]}
    drawn = Table({name: columns[name] for name in ("feature", "importance")}, "permutation_importances")
    facts.pictures[f"{kind}.png"] = functools.partial(_plots.bars, drawn)


def _summary(name: str, values: NDArray[Any]) -> dict[str, float]:
    return {f"mean_{name}": float(values.mean()), f"std_{name}": float(values.std())}


def _about(arguments: Arguments, n_folds: int | None = None) -> str:
    estimator = type(arguments["estimator"]).__name__
    return estimator if n_folds is None else f"{estimator} · {n_folds:,} folds"


_READERS: dict[str, Callable[[Facts, Arguments, Any], None]] = {
    "cross_validate": _cross_validate,
    "cross_val_score": _cross_val_score,
    "learning_curve": _learning_curve,
    "validation_curve": _validation_curve,
    "permutation_test_score": _permutation_test,
    "permutation_importance": _permutation_importance,
}
