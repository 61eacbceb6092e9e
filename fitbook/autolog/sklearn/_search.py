"""What a finished hyper-parameter search found: its best, the table of all results, and a child for each candidate."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fitbook import _validate
from fitbook.autolog.sklearn._params import shown
from fitbook.autolog.sklearn._table import Table
from fitbook.entities import RunStatus

_MAX_NAME = 200


@dataclass(slots=True)
class Candidate:
    """One point of the search space, as its child run shows it."""

    index: int
    params: dict[str, str]  # those that it does not share with the others
    metrics: dict[str, float]
    tags: dict[str, str]
    status: str


@dataclass(slots=True)
class SearchResult:
    """What goes to the search's own run, and its children."""

    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    table: Table = field(default_factory=lambda: Table({}))
    children: list[Candidate] = field(default_factory=list)
    best_estimator: Any = None


def search_result(search: Any, max_children: int | None = None) -> SearchResult | None:
    """Read a fitted search; None if the estimator is not one.

    Parameters
    ----------
    search : estimator
        A search is what has a ``cv_results_`` with a ``params`` list: scikit-learn's and what follows its interface.
    max_children : int, optional
        So many of the best candidates only; all of them if not given.
    """
    results = _attribute(search, "cv_results_")
    if not isinstance(results, Mapping) or "params" not in results:
        return None
    found = SearchResult(table=_table(results), best_estimator=_attribute(search, "best_estimator_"))
    best_score = _attribute(search, "best_score_")
    if best_score is not None:
        found.metrics["best_cv_score"] = float(best_score)
    best_index = _attribute(search, "best_index_")
    if best_index is not None:
        found.tags["fitbook.best_candidate"] = str(best_index)
        chosen = results["params"][best_index]
        found.params = {_validate.safe_key(f"best_{key}"): shown(key, value) for key, value in chosen.items()}
    for name, values in _numbers(results).items():
        if best_index is not None and name.startswith(("mean_test", "std_test")):
            found.metrics[f"best_{name}"] = float(values[best_index])
    found.children = _children(results, best_index, max_children)
    return found


def _attribute(estimator: Any, name: str) -> Any:
    """An attribute as it is stored; any other look-up could run code of the user's: a property, or ``__getattr__``."""
    found = inspect.getattr_static(estimator, name, None)
    return None if hasattr(type(found), "__get__") else found


def own_params(chosen: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that make a candidate, as text."""
    return {_validate.safe_key(key): shown(key, value) for key, value in chosen.items()}


def candidate_name(index: int, own: Mapping[str, str]) -> str:
    """What a candidate's run is called."""
    label = ", ".join(f"{key}={value}" for key, value in own.items())
    return f"candidate {index}: {label}".replace("\n", " ")[:_MAX_NAME]


def _children(results: Mapping[str, Any], best_index: int | None, max_children: int | None) -> list[Candidate]:
    columns = {name: values.tolist() for name, values in _numbers(results).items()}
    tests = [values for name, values in columns.items() if name.startswith("mean_test")]
    found = []
    for index in _chosen(results, max_children):
        nothing_scored = bool(tests) and all(math.isnan(values[index]) for values in tests)
        found.append(
            Candidate(
                index=index,
                params=own_params(results["params"][index]),
                metrics={name: values[index] for name, values in columns.items()},
                tags={
                    "fitbook.candidate": str(index),
                    **({"fitbook.best_candidate": "true"} if index == best_index else {}),
                },
                status=RunStatus.FAILED if nothing_scored else RunStatus.FINISHED,
            )
        )
    return found


def _chosen(results: Mapping[str, Any], max_children: int | None) -> list[int]:
    everything = list(range(len(results["params"])))
    if max_children is None or max_children >= len(everything):
        return everything
    rank = next((results[name] for name in results if name.startswith("rank_test")), None)
    if rank is None:
        return everything[:max_children]
    return sorted(sorted(everything, key=lambda index: rank[index])[:max_children])


def _numbers(results: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of plain numbers, one value for each candidate."""
    n = len(results["params"])
    return {
        str(name): values
        for name, values in results.items()
        if not name.startswith("param_")
        and getattr(values, "shape", None) == (n,)
        and getattr(getattr(values, "dtype", None), "kind", "") in "fiu"
        and not hasattr(values, "mask")
    }


def _table(results: Mapping[str, Any]) -> Table:
    columns: dict[str, Any] = {}
    for name, values in results.items():
        plain = name != "params" and not name.startswith("param_")
        columns[name] = values if plain else [shown(name, value) for value in values]
    return Table(columns, "cv_results")
