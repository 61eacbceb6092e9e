"""Which features a fitted model leans on: its own importances or coefficients, under the features' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._boosters import importance_kinds
from fitbook.autolog.sklearn._kinds import unwrap
from fitbook.autolog.sklearn._known import unknown_part
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._table import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = Lazy("numpy")

_MAX_CLASSES = 100


def importances(estimator: Any, feature_names: Sequence[str] | None = None) -> Table | None:
    """A model's feature importances, or else its coefficients.

    Parameters
    ----------
    estimator : fitted estimator
        Pipelines and searches are looked through. Of a class of the user's only plain attributes are read.
    feature_names : sequence of str, optional
        Names of the columns that the estimator was given; used where the estimator does not know better.

    Returns
    -------
    Table or None
        ``kind`` is ``"feature_importances"`` (columns ``feature``, ``importance``) or ``"coefficients"`` (``feature``
        and ``coefficient``, or one column for each class or output), the weightiest feature first; a booster adds
        columns for the other measures that it has. None if the model has neither.
    """
    model, pipelines = unwrap(estimator)
    known = unknown_part(estimator) is None
    for attribute, kind in (("feature_importances_", "feature_importances"), ("coef_", "coefficients")):
        values = getattr(model, attribute, None) if known else _own(model, attribute)
        if values is None:
            continue
        if hasattr(values, "toarray"):  # coefficients of a linear support vector machine on sparse data
            if values.shape[0] * values.shape[1] > 10_000_000:
                return None
            values = values.toarray()
        matrix = np.asarray(values, dtype=np.float64)
        if matrix.ndim not in (1, 2) or not matrix.size:
            return None
        rows = matrix.reshape(-1, matrix.shape[-1])
        names = column_names(model, pipelines, feature_names, rows.shape[1], known=known)
        more = importance_kinds(model) if known and kind == "feature_importances" else {}
        return _table(kind, rows[:_MAX_CLASSES], names, _headers(model, kind, len(rows)), more)
    return None


def _table(
    kind: str, rows: NDArray[Any], names: Sequence[str], headers: list[str], more: Mapping[str, Sequence[float]]
) -> Table:
    weight = np.abs(rows).mean(axis=0)
    order = np.argsort(-weight, kind="stable")
    columns: dict[str, Sequence[Any]] = {"feature": [names[i] for i in order]}
    columns |= {header: row[order] for header, row in zip(headers, rows, strict=False)}
    columns |= {header: [row[i] for i in order] for header, row in more.items() if len(row) == len(order)}
    return Table(columns, kind=kind)


def _headers(model: Any, kind: str, n: int) -> list[str]:
    if n == 1:
        return ["importance" if kind == "feature_importances" else "coefficient"]
    classes = _own(model, "classes_")
    if classes is not None and len(classes) == n:
        return [f"coefficient_{label}" for label in classes]
    return [f"coefficient_{i}" for i in range(n)]


def column_names(
    model: Any, pipelines: list[object], given: Sequence[str] | None, n: int, *, known: bool = False
) -> Sequence[str]:
    """Names of the ``n`` columns that a model was given, behind the pipelines around it.

    Parameters
    ----------
    model : fitted estimator
    pipelines : list of object
        The ones around it, outermost first.
    given : sequence of str or None
        Names of the columns that the outermost was given.
    n : int
    known : bool
        No code of the user's runs if the pipelines are asked for names.
    """
    outer: Any = pipelines[0] if pipelines else model
    if known and pipelines:
        try:
            names = given
            for pipeline in pipelines:
                names = _after(pipeline, names)
            if names is not None and len(names) == n:
                return [str(name) for name in names]
        except Exception:  # a step that can't name its columns
            return [f"x{i}" for i in range(n)]
    for source in (_own(model, "feature_names_in_"), None if pipelines else given, _own(outer, "feature_names_in_")):
        if source is not None and len(source) == n:
            return [str(name) for name in source]
    return [f"x{i}" for i in range(n)]


def _after(pipeline: Any, names: Any) -> Any:
    """Column names behind all but the last step of a pipeline."""
    for _, step in pipeline.steps[:-1]:
        if step is None or step == "passthrough":
            continue
        names = step.get_feature_names_out(None if hasattr(step, "feature_names_in_") else names)
    return names


def _own(obj: Any, name: str) -> Any:
    return getattr(obj, "__dict__", {}).get(name)
