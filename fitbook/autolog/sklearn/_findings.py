"""What looks wrong about a fit: told from its data and its results as they are, in milliseconds, never by fitting again.

A few rows of all columns are looked at, then many rows of those columns in which something stood out.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fitbook.autolog._config import Selection
from fitbook.autolog.sklearn._kinds import estimator_type, unwrap
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._predict import every
from fitbook.autolog.sklearn._rows import Rows, rows_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = Lazy("numpy")

NAMES = (
    *("train_rows_in_held_out", "target_in_features", "constant_columns", "duplicated_columns"),
    *("class_imbalance", "not_converged", "best_on_edge_of_grid", "overfit"),
)

# Less data than this says little about its columns.
_MIN_ROWS = 20
_FIRST_LOOK, _SECOND_LOOK = 100_000, 250_000  # values
_MAX_ROWS, _MAX_MIXED_ROWS = 20_000, 1_000
_MAX_COLUMNS = 100  # that stand out
_MAX_LABELS = 10_000
_MAX_NAMED = 10

_GAP = 0.2
_RARE = 100

# They stop at their max_iter because that is how much they are asked to do.
_RUN_TO_THE_END = frozenset(
    {"HistGradientBoostingClassifier", "HistGradientBoostingRegressor", "TSNE", "MDS", "LatentDirichletAllocation"}
    | {"SelfTrainingClassifier", "MiniBatchKMeans", "MiniBatchNMF", "MiniBatchDictionaryLearning"}
    | {"DictionaryLearning", "SparsePCA", "MiniBatchSparsePCA"}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that looks wrong.

    Attributes
    ----------
    name : str
        As it is muted by.
    text : str
        A sentence.
    details : dict
        What it is about; can be written as JSON.
    """

    name: str
    text: str
    details: dict[str, Any] = field(default_factory=dict)


def findings(
    estimator: Any, X: Any, y: Any, metrics: Mapping[str, float], wanted: Selection, notes: list[str]
) -> list[Finding]:
    """Look at a fit.

    Parameters
    ----------
    estimator : fitted estimator
        Nothing of it is called.
    X, y : its training data
        Of containers that are known; nothing is looked for in others.
    metrics : mapping of str to float
        What is known of the fit by now: ``training_score`` and ``best_cv_score``.
    wanted : Selection
        Names of the findings to look for.
    notes : list of str
        A part that fails is told here, and does not keep the others from being there.

    Returns
    -------
    list of Finding
        ``target_in_features``, ``constant_columns``, ``duplicated_columns``, ``class_imbalance``, ``not_converged``,
        ``best_on_edge_of_grid`` and ``overfit``, as far as they apply.
    """
    looks: dict[str, Callable[[], Finding | None]] = {
        "class_imbalance": lambda: _class_imbalance(estimator, y),
        "not_converged": lambda: _not_converged(unwrap(estimator)[0]),
        "best_on_edge_of_grid": lambda: _best_on_edge_of_grid(getattr(estimator, "__dict__", {})),
        "overfit": lambda: overfit(metrics.get("training_score"), metrics.get("best_cv_score"), "in cross-validation"),
    }
    look: _Look | None = None
    try:
        rows = rows_of(X)
        look = _Look(rows) if rows is not None and rows.is_table and rows.n_rows >= _MIN_ROWS else None
    except Exception as error:
        notes.append(f"findings: {type(error).__name__}: {error}"[:300])
    if look is not None:
        looks["constant_columns"] = functools.partial(_constant_columns, look)
        looks["duplicated_columns"] = functools.partial(_duplicated_columns, look)
        looks["target_in_features"] = functools.partial(_target_in_features, look, y, estimator_type(estimator))
    found = []
    for name, one in looks.items():
        if name in wanted:
            try:
                found.append(one())
            except Exception as error:
                notes.append(f"finding {name}: {type(error).__name__}: {error}"[:300])
    return [finding for finding in found if finding is not None]


# -- columns -------------------------------------------------------------------------------------------------------------


class _Look:
    """A first look at a few rows of all columns, and a second one at many rows of those columns that stood out."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.first = rows.values(min(200, max(_MIN_ROWS, _FIRST_LOOK // max(1, rows.n_columns))))
        self.is_constant = _all_same(self.first)

    def again(self, columns: Sequence[int]) -> NDArray[np.float64]:
        """Many rows of some columns."""
        most = _MAX_ROWS if self.rows.is_plain else _MAX_MIXED_ROWS
        return self.rows.values(min(most, _SECOND_LOOK // max(1, len(columns))), columns)

    def finding(self, name: str, text: str, columns: Sequence[int], n_looked_at: int) -> Finding:
        """A finding about columns; ``text`` has their names to be filled in."""
        named = ", ".join(self.rows.name(column) for column in columns[:_MAX_NAMED])
        more = f" and {len(columns) - _MAX_NAMED} more" if len(columns) > _MAX_NAMED else ""
        if n_looked_at < self.rows.n_rows:
            more += f" (in the {n_looked_at:,} of {self.rows.n_rows:,} rows that were looked at)"
        details = {"columns": [self.rows.name(column) for column in columns], "rows_looked_at": n_looked_at}
        return Finding(name, text.format(named + more), details)


def _all_same(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each column has one value only, or none at all."""
    same: NDArray[np.bool_] = ((values == values[0]) | (np.isnan(values) & np.isnan(values[0]))).all(axis=0)
    return same


def _constant_columns(look: _Look) -> Finding | None:
    candidates = np.flatnonzero(look.is_constant)[:_MAX_COLUMNS]
    values = look.again(candidates.tolist())
    columns = candidates[_all_same(values)].tolist() if len(candidates) else []
    if not columns:
        return None
    what = "One column has" if len(columns) == 1 else f"{len(columns)} columns have"
    return look.finding("constant_columns", f"{what} the same value in every row: {{}}.", columns, len(values))


def _duplicated_columns(look: _Look) -> Finding | None:
    first_of: dict[bytes, int] = {}
    pairs = []
    by_column = np.ascontiguousarray(look.first.T)
    for column in np.flatnonzero(~look.is_constant).tolist():
        original = first_of.setdefault(by_column[column].tobytes(), column)
        if original != column:
            pairs.append((column, original))
    pairs = pairs[:_MAX_COLUMNS]
    if not pairs:
        return None
    values, originals = (look.again(columns) for columns in zip(*pairs, strict=True))
    same = ((values == originals) | (np.isnan(values) & np.isnan(originals))).all(axis=0)
    columns = [column for (column, _), is_same in zip(pairs, same, strict=True) if is_same]
    if not columns:
        return None
    what = "One column has" if len(columns) == 1 else f"{len(columns)} columns have"
    return look.finding("duplicated_columns", f"{what} the values of another one: {{}}.", columns, len(values))


def _target_in_features(look: _Look, y: Any, kind: str) -> Finding | None:
    target = None if y is None or kind not in _TELLS else rows_of(y)
    if target is None or target.is_table and target.n_columns != 1 or target.n_rows != look.rows.n_rows:
        return None
    tells = _TELLS[kind]
    stands_out = tells(look.first, target.values(len(look.first))[:, 0]) & ~look.is_constant
    candidates = np.flatnonzero(stands_out)[:_MAX_COLUMNS]
    if not len(candidates):
        return None
    values = look.again(candidates.tolist())
    columns = candidates[tells(values, target.values(len(values))[:, 0])].tolist()
    if not columns:
        return None
    what = "One column tells" if len(columns) == 1 else f"{len(columns)} columns tell"
    text = f"{what} the target exactly: {{}}. Is it known when the model is to predict?"
    return look.finding("target_in_features", text, columns, len(values))


def _tells_class(values: NDArray[Any], target: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each column has one value for each class, and another one for every class."""
    codes = np.unique(target, return_inverse=True)[1]
    order, sizes = np.argsort(codes, kind="stable"), np.bincount(codes)
    if len(sizes) < 2 or len(target) < 3 * len(sizes):
        return np.zeros(values.shape[1], dtype=bool)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    values = values[order]
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    tells: NDArray[np.bool_] = (low == high).all(axis=0) & (np.diff(np.sort(low, axis=0), axis=0) != 0).all(axis=0)
    return tells


def _tells_number(values: NDArray[Any], target: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each column is the target, but for unit and origin."""
    with np.errstate(all="ignore"):
        values, target = values - values.mean(axis=0), target - target.mean()
        correlation = (target @ values) / np.sqrt((target @ target) * (values * values).sum(axis=0))
    tells: NDArray[np.bool_] = np.abs(correlation) > 1 - 1e-10
    return tells


_TELLS = {"classifier": _tells_class, "regressor": _tells_number}


# -- target and result ---------------------------------------------------------------------------------------------------


def _class_imbalance(estimator: Any, y: Any) -> Finding | None:
    target = None if y is None or estimator_type(estimator) != "classifier" else rows_of(y)
    if target is None or target.is_table:
        return None
    labels = every(y, -(-target.n_rows // _MAX_LABELS) or 1)
    labels = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    kinds = set(map(type, labels))
    if any(issubclass(kind, np.generic) for kind in kinds):
        labels, kinds = np.asarray(labels).tolist(), {int}
    if not kinds <= {int, float, bool, str}:
        return None
    counts = Counter(labels).most_common()
    (common, most), (rare, least) = counts[0], counts[-1]
    if most < _RARE * least:
        return None
    text = f"The class {rare!r} has {least:,} of {len(labels):,} rows, and {common!r} has {most:,}."
    if len(labels) < target.n_rows:
        text = f"{text[:-1]}, among the evenly spaced ones that were counted."
    return Finding("class_imbalance", text, {"rows": len(labels), "rarest": least, "most_common": most})


def _not_converged(model: Any) -> Finding | None:
    cls, has = type(model), getattr(model, "__dict__", {})
    if not cls.__module__.startswith("sklearn.") or cls.__name__ in _RUN_TO_THE_END or has.get("tol", 0) is None:
        return None
    at_most, made, converged = has.get("max_iter"), has.get("n_iter_"), has.get("converged_")
    if not isinstance(at_most, (int, np.integer)) or at_most <= 0 or converged is True or converged is np.True_:
        return None
    stopped = converged is not None or has.get("fit_status_", 0) == 1
    if made is not None:
        stopped = stopped or bool((np.asarray(made, dtype=np.float64) >= at_most).any())
    if not stopped:
        return None
    text = f"{cls.__name__} stopped at max_iter={at_most} before it converged."
    return Finding("not_converged", text, {"estimator": cls.__name__, "max_iter": int(at_most)})


def _best_on_edge_of_grid(search: Mapping[str, Any]) -> Finding | None:
    best, results, index = search.get("best_params_"), search.get("cv_results_"), search.get("best_index_")
    grids = search.get("param_grid", search.get("param_distributions"))
    scores = _scores(search.get("refit"), results)
    if not isinstance(best, Mapping) or results is None or scores is None or not isinstance(index, (int, np.integer)):
        return None
    edges = {}
    for name, value in best.items():
        value = value.item() if isinstance(value, np.generic) else value
        tried = [found for grid in (grids if isinstance(grids, list) else [grids]) for found in _tried(grid, name)]
        end = _end(value, tried)
        if not end:
            continue
        # Where another value does as well, the edge is a coincidence.
        elsewhere = [s for s, p in zip(scores, results["params"], strict=True) if p.get(name) != value and s == s]
        if elsewhere and max(elsewhere) < scores[index]:
            edges[name] = {"best": value, "is": end, "tried": len(tried)}
    if not edges:
        return None
    told = ", ".join(f"{name}={edge['best']!r} is the {edge['is']} value tried" for name, edge in edges.items())
    return Finding("best_on_edge_of_grid", f"The best parameters are on the edge of the grid: {told}.", edges)


def _scores(refit: Any, results: Any) -> list[float] | None:
    if not isinstance(results, Mapping):
        return None
    scores = results.get(f"mean_test_{refit}" if isinstance(refit, str) else "mean_test_score")
    return None if scores is None else [float(score) for score in scores]


def _tried(grid: Any, name: str) -> list[Any]:
    values = grid.get(name, ()) if isinstance(grid, Mapping) else ()
    if isinstance(values, np.ndarray):
        return values.tolist() if values.ndim == 1 else []
    return list(values) if isinstance(values, (list, tuple, range)) else []


def _end(best: Any, tried: list[Any]) -> str:
    """Which end of the numbers tried the best one is, if more could have been tried beyond."""
    numbers = {value for value in tried if isinstance(value, (int, float)) and not isinstance(value, bool)}
    if len(numbers) < 3 or not isinstance(best, (int, float)) or best not in numbers:
        return ""
    least, most = min(numbers), max(numbers)
    is_share = least >= 0 and most <= 1
    if best == most and not (is_share and most == 1):
        return "largest"
    if best == least and best != 0 and not (isinstance(best, int) and best == 1):
        return "smallest"
    return ""


def overfit(training: float | None, held_out: float | None, where: str) -> Finding | None:
    """Compare a training score with a held-out one of the same kind, both of which are 1 at best.

    Parameters
    ----------
    training, held_out : float or None
    where : str
        Where the second one is from, in the sentence.
    """
    if training is None or held_out is None or not (0 <= training <= 1 and training - held_out > _GAP):
        return None
    text = f"The score is {training:.3f} on the training data and {held_out:.3f} {where}."
    return Finding("overfit", text, {"training": training, "held_out": held_out})
