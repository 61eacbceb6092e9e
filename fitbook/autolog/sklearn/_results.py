"""What a metric gave, as numbers with names and as a text for a file."""

from __future__ import annotations

import json
import numbers
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._copies import as_array
from fitbook.autolog.sklearn._lazy import Lazy

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")

REPORT, PER_CLASS = "classification_report", "precision_recall_fscore_support"
_MAX_NUMBERS = 100
_MAX_FILE_ELEMENTS = 100_000

# What the parts of a tuple are called.
_PARTS = {
    PER_CLASS: ("precision", "recall", "fscore", "support"),
    "homogeneity_completeness_v_measure": ("homogeneity", "completeness", "v_measure"),
    "class_likelihood_ratios": ("positive", "negative"),
}
# What a display holds of numbers that sum it up, and of rows of the user's data.
_SUMS = ("roc_auc", "average_precision")
_ROWS = ("y_true", "y_pred", "y_prob")

Numbers = dict[str, float]


def numbers_of(name: str, arguments: Mapping[str, Any], result: Any) -> Numbers:
    """The numbers in what a metric gave, by what is added to its name: nothing, or ``.class_setosa`` and the like."""
    if is_number(result):
        return {"": float(result)}
    if isinstance(result, np.ndarray):
        found = _parted(arguments, result)
    elif isinstance(result, tuple) and name in _PARTS:
        found = {}
        for part, value in zip(_PARTS[name], result, strict=False):
            inner = {"": float(value)} if is_number(value) else _parted(arguments, value)
            found |= {f".{part}{key}": number for key, number in inner.items()}
    elif isinstance(result, dict):
        found = dict(_flat(result))
    else:
        return {}
    return found if len(found) <= _MAX_NUMBERS * 4 else {}


def report_of(text: str, target_names: Any, parts: list[tuple[Mapping[str, Any], Any]]) -> dict[str, Any]:
    """The dictionary form of a classification report's text, from what scikit-learn computed for it.

    Parameters
    ----------
    text : str
        The report.
    target_names : sequence or None
        What the user calls the classes.
    parts : list of (arguments, result)
        The calls of ``precision_recall_fscore_support`` inside.
    """
    found: dict[str, Any] = {}
    columns = ("precision", "recall", "f1-score", "support")
    support = 0.0
    for arguments, result in parts:
        average = arguments.get("average")
        if average is None:
            names = _labels(as_array(arguments["labels"] if target_names is None else target_names), len(result[0]))
            rows = zip(names, zip(*result, strict=True), strict=True)
            found |= {name: dict(zip(columns, map(float, row), strict=True)) for name, row in rows}
            support = float(sum(result[3]))
        elif average == "micro" and any(line.startswith("accuracy") for line in map(str.lstrip, text.splitlines())):
            found["accuracy"] = float(result[0])
        else:
            found[f"{average} avg"] = dict(zip(columns, [*map(float, result[:3]), support], strict=True))
    return found


def display_of(display: Any, *, rows: bool) -> dict[str, Any]:
    """What one of scikit-learn's displays shows; of the user's rows only if ``rows``. What is drawn ends in ``_``."""
    return {
        key: value
        for key, value in vars(display).items()
        if not key.endswith("_") and not key.startswith("_") and (rows or key not in _ROWS)
    }


def sums_of(shown: Mapping[str, Any]) -> Numbers:
    """The numbers that sum up what a display shows."""
    return {f".{key}": float(shown[key]) for key in _SUMS if is_number(shown.get(key))}


def frozen(result: Any) -> tuple[Any, int]:
    """A copy of a result that the user can't change any more, and how many values it has; None for what is no result."""
    if isinstance(result, np.ndarray):
        return result.copy(), result.size
    if isinstance(result, dict):
        pairs = {str(key): frozen(value) for key, value in result.items()}
        return {key: value for key, (value, _) in pairs.items()}, sum(size for _, size in pairs.values())
    if isinstance(result, (tuple, list)):
        parts = [frozen(value) for value in result]
        return [value for value, _ in parts], sum(size for _, size in parts)
    if result is None or isinstance(result, (str, bool, int, float)):
        return result, 1
    if isinstance(result, np.generic):
        return result.item(), 1
    return type(result).__name__, 1


def as_text(result: Any) -> str:
    """What `frozen` gave, as the text of a file."""
    return result if isinstance(result, str) else json.dumps(result, default=lambda part: part.tolist())


def is_number(result: Any) -> bool:
    """Whether a result is one number."""
    return isinstance(result, numbers.Real) and not isinstance(result, bool)


def fits_a_file(size: int) -> bool:
    """Whether so many values are few enough to be written down."""
    return size <= _MAX_FILE_ELEMENTS


def _parted(arguments: Mapping[str, Any], values: Any) -> Numbers:
    """A number for each class or each output, if that is what the user has asked for."""
    if (
        not isinstance(values, np.ndarray)
        or values.ndim != 1
        or len(values) > _MAX_NUMBERS
        or values.dtype.kind not in "iuf"
    ):
        return {}
    if isinstance(arguments.get("multioutput"), str) and arguments["multioutput"] == "raw_values":
        return {f".output_{i}": value for i, value in enumerate(map(float, values))}
    if arguments.get("average", None) is not None:
        return {}
    names = _labels(_classes(arguments), len(values))
    return {f".class_{name}": value for name, value in zip(names, map(float, values), strict=True)}


def _classes(arguments: Mapping[str, Any]) -> Any:
    """The classes that a metric has told apart, in its order; None if that can't be told."""
    if arguments.get("labels") is not None:
        return as_array(arguments["labels"])
    found: set[Any] = set()
    for name in ("y_true", "y_pred"):
        array = as_array(arguments.get(name))
        if array is None or array.ndim != 1:
            return None
        found |= set((np.unique(array) if array.dtype.kind in "biufU" else array).tolist())
    plain = {type(label) for label in found}
    return np.array(sorted(found)) if plain <= {str} or plain <= {int, float, bool} else None


def _labels(labels: Any, count: int) -> list[str]:
    cells = labels.tolist() if labels is not None and labels.ndim == 1 else []
    if len(cells) != count or not {type(cell) for cell in cells} <= {str, int, float, bool}:
        return [str(i) for i in range(count)]
    return [str(cell) for cell in cells]


def _flat(result: Mapping[Any, Any]) -> Iterable[tuple[str, float]]:
    for key, value in result.items():
        if isinstance(value, Mapping):
            yield from ((f".{key}{inner}", number) for inner, number in _flat(value))
        elif is_number(value):
            yield f".{key}", float(value)
