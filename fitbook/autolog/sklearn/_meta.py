"""What a fitted estimator that is made of others tells: features it chose, thresholds, calibrators, weights, orders.

Attributes are read as they are stored; nothing is computed again, and no code of the user's runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn import _charts, _plots
from fitbook.autolog.sklearn._facts import Facts
from fitbook.autolog.sklearn._importances import column_names, importances
from fitbook.autolog.sklearn._kinds import sklearn_bases, unwrap
from fitbook.autolog.sklearn._known import unknown_part
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._table import Table

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")

# What sequential feature selection has done: features with scores, in the order in which it took them.
Steps = Sequence[tuple[int, float]]

_MAX_METRICS = 100


def meta_facts(estimator: object, feature_names: Sequence[str] | None = None, steps: Steps = ()) -> Facts:
    """What the estimator at the core of pipelines and searches tells beside its predictions.

    Parameters
    ----------
    estimator : fitted estimator
    feature_names : sequence of str, optional
        Names of the columns that it was given.
    steps : sequence of (int, float)
        What a sequential feature selection has been seen to do.
    """
    model, pipelines = unwrap(estimator)
    facts, bases = Facts(), sklearn_bases(type(model))
    fitted = getattr(model, "__dict__", {})
    support = fitted.get("support_")
    if bases & {"RFE", "SequentialFeatureSelector"} and support is not None:
        known = unknown_part(estimator) is None
        names = column_names(model, pipelines, feature_names, len(support), known=known)
        _selection(facts, fitted, names)
        if steps:
            _sequence(facts, fitted, names, steps)
    for base, (left, read) in _READERS.items():
        if base in bases and left in fitted:
            read(facts, fitted)
    return facts


def _selection(facts: Facts, fitted: dict[str, Any], names: Sequence[str]) -> None:
    support = fitted["support_"]
    facts.metrics["n_features_selected"] = float(support.sum())
    columns: dict[str, Any] = {"feature": list(names), "selected": support}
    if "ranking_" in fitted:
        columns["ranking"] = fitted["ranking_"]
    facts.tables["feature_selection.csv"] = Table(columns, "feature_selection")


def _sequence(facts: Facts, fitted: dict[str, Any], names: Sequence[str], steps: Steps) -> None:
    backward, support = fitted.get("direction") == "backward", fitted["support_"]
    counts = [len(names) - k if backward else k for k in range(1, len(steps) + 1)]
    scores = [score for _, score in steps]
    columns: dict[str, Any] = {
        "n_features": counts,
        "removed" if backward else "added": [names[feature] for feature, _ in steps],
        "mean_test_score": scores,
        "kept": [bool(support[feature]) != backward for feature, _ in steps],  # the last one may not be worth it
    }
    facts.tables["feature_selection_steps.csv"] = Table(columns, "feature_selection_steps")
    facts.curve("mean_test_score", scores, counts)
    facts.pictures["feature_selection_steps.png"] = functools.partial(
        _charts.curves, "Sequential feature selection", "", "features", "score", counts, {"test_score": (scores, None)}
    )


def _rfecv(facts: Facts, fitted: dict[str, Any]) -> None:
    results = fitted["cv_results_"]
    columns = {name: v for name, v in results.items() if v.ndim == 1 and v.dtype.kind in "fiu"}
    mean, std = results["mean_test_score"], results["std_test_score"]
    counts = results.get("n_features", np.arange(1, len(mean) + 1))
    facts.tables["feature_elimination.csv"] = Table({"n_features": counts, **columns}, "feature_elimination")
    facts.curve("mean_test_score", mean, counts)
    facts.curve("std_test_score", std, counts)
    best = np.flatnonzero(np.asarray(counts) == fitted["n_features_"])
    if len(best):
        facts.metrics |= {"best_mean_test_score": float(mean[best[0]]), "best_std_test_score": float(std[best[0]])}
    facts.pictures["feature_elimination.png"] = functools.partial(
        _charts.curves,
        "Recursive feature elimination",
        f"{fitted['n_features_']} of {len(fitted['support_'])} features selected",
        "features",
        "score",
        counts.tolist(),
        {"test_score": (mean, std)},
    )


def _threshold(facts: Facts, fitted: dict[str, Any]) -> None:
    for name in ("best_threshold_", "best_score_"):
        if fitted.get(name) is not None:
            facts.metrics[name.rstrip("_")] = float(fitted[name])
    results = fitted.get("cv_results_")
    if not results:
        return
    thresholds, scores = results["thresholds"], results["scores"]
    facts.curve("threshold", thresholds)
    facts.curve("threshold_score", scores)
    facts.tables["thresholds.csv"] = Table({"threshold": thresholds, "score": scores}, "thresholds")
    about = f"best at {fitted['best_threshold_']:.4g}"
    facts.pictures["thresholds.png"] = functools.partial(
        _charts.curves, "Decision threshold", about, "threshold", "score", thresholds, {"score": (scores, None)}
    )


def _calibrators(facts: Facts, fitted: dict[str, Any]) -> None:
    """What maps scores to probabilities, for each fold and class: two numbers of a sigmoid, one of a temperature."""
    rows: list[dict[str, Any]] = []
    for fold, calibrated in enumerate(fitted["calibrated_classifiers_"]):
        classes = calibrated.classes[-len(calibrated.calibrators) :]
        for label, calibrator in zip(classes, calibrated.calibrators, strict=False):
            numbers = {name.rstrip("_"): vars(calibrator).get(name) for name in ("a_", "b_", "beta_")}
            rows.append({"fold": fold, "class": str(label), **{k: v for k, v in numbers.items() if v is not None}})
    facts.metrics["n_calibrators"] = float(len(fitted["calibrated_classifiers_"]))
    if rows and len(rows[0]) > 2:  # of an isotonic one there are as many numbers as rows
        facts.tables["calibrators.csv"] = Table({key: [row[key] for row in rows] for key in rows[0]}, "calibrators")


def _stacking(facts: Facts, fitted: dict[str, Any]) -> None:
    counts, kept = fitted.get("_n_feature_outs", ()), [pair for pair in fitted["estimators"] if pair[1] != "drop"]
    names = [
        name if count == 1 else f"{name}_{i}"
        for (name, _), count in zip(kept, counts, strict=False)
        for i in range(count)
    ]
    found = importances(fitted["final_estimator_"], names)
    if found is None:
        return
    kind = "final_importances" if found.kind == "feature_importances" else "final_coefficients"
    table = Table(found.columns, kind)
    facts.tables[f"{kind}.csv"], facts.pictures[f"{kind}.png"] = table, functools.partial(_plots.bars, table)
    inputs, *values = found.columns.values()
    if len(values) == 1:
        pairs = list(zip(inputs, values[0], strict=True))[:_MAX_METRICS]
        facts.metrics |= {f"{kind[:-1]}_{name}": float(value) for name, value in pairs}


def _chain(facts: Facts, fitted: dict[str, Any]) -> None:
    facts.tags["fitbook.chain_order"] = ", ".join(map(str, fitted["order_"]))


# By class of scikit-learn's: what its fit leaves, which that of a subclass of the user's need not.
_READERS: dict[str, tuple[str, Callable[[Facts, dict[str, Any]], None]]] = {
    "RFECV": ("cv_results_", _rfecv),
    "TunedThresholdClassifierCV": ("best_threshold_", _threshold),
    "CalibratedClassifierCV": ("calibrated_classifiers_", _calibrators),
    "_BaseStacking": ("final_estimator_", _stacking),
    "_BaseChain": ("order_", _chain),
}
