"""What will be recorded of a fit, and what that will cost, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from fitbook.autolog._config import EVERYTHING, Config
from fitbook.autolog.sklearn._call import FitCall
from fitbook.autolog.sklearn._content import FULL_BYTES, kind_of
from fitbook.autolog.sklearn._kinds import estimator_type
from fitbook.autolog.sklearn._known import is_known_class
from fitbook.autolog.sklearn._params import text

# Milliseconds, on a machine of 2020 or so.
_READ_MB, _SNAPSHOT_MB, _FINDINGS = 0.7, 1.0, 5


def explanation(config: Config, estimator: Any, method: str, call: FitCall, where: str) -> str:
    """Say what recording does before, after and beside a fit.

    Parameters
    ----------
    config : Config
    estimator : estimator
        Before its fit.
    method : str
        The fitting method.
    call : FitCall
        What it is given.
    where : str
        Where it is recorded.
    """
    later = ["tables", *(["model"] if config.log_models else [])]
    return _told(config, f"{type(estimator).__name__}.{method}", call.X, where, _after(config, estimator), later)


def explanation_of_call(config: Config, function: str, estimator: Any, X: Any, where: str) -> str:
    """Say the same of a call of cross-validation or inspection."""
    what = ["what it returns, as metrics"]
    return _told(config, f"{function} of {type(estimator).__name__}", X, where, what, ["tables"])


def _told(config: Config, what: str, X: Any, where: str, after: Iterable[str], later: list[str]) -> str:
    size = _megabytes(X)
    data = kind_of(X) + ("" if size is None else f" of {size:,.1f} MB")
    lines = [f"fitbook: {what} on {data} is recorded in {text(where)}"]
    lines += [f"  before it: {one}" for one in _before(config, size)]
    lines += [f"  after it, {_budget(config)}: {one}" for one in after]
    lines.append(f"  in the background: {', '.join([*later, *(['figures'] if config.log_plots else [])])}")
    chosen = [name for name in ("params", "metrics", "artifacts", "findings") if getattr(config, name) != EVERYTHING]
    if chosen:
        lines.append(f"  chosen by your patterns: {', '.join(chosen)}")
    return "\n".join([*lines, "  measured: the run's metrics fitbook.overhead_ms and fitbook.bytes_copied"])


def _before(config: Config, size: float | None) -> Iterator[str]:
    if size is None:
        yield "parameters; a fingerprint of the data"
    else:
        read, sample = (size, "") if size * 1e6 <= FULL_BYTES else (8.0, " (8 MB of it)")
        yield f"parameters; a fingerprint of the data{sample}, about {math.ceil(read * _READ_MB)} ms"
    if not config.log_datasets:
        yield "the fingerprint is not kept (log_datasets)"


def _after(config: Config, estimator: Any) -> Iterator[str]:
    kind = estimator_type(estimator)
    if not is_known_class(type(estimator)):
        yield "no training metrics, as predicting would run code that fitbook does not know"
    elif kind in ("classifier", "regressor", "outlier_detector", "density_estimator"):
        rows = "on as many rows as the budget allows" if config.sampling else "if the budget allows for all rows"
        yield f"training metrics of a {kind.replace('_', ' ')}, {rows}"
    if config.findings.wanted:
        yield f"findings, at most about {_FINDINGS} ms"
    if config.log_models:
        yield f"a snapshot of the model in memory, about {_SNAPSHOT_MB:.0f} ms for each MB, whatever the budget"


def _budget(config: Config) -> str:
    if config.budget_ms is None:
        return "however long it takes"
    return f"within {config.budget_ms:g} ms or {config.budget_share:.0%} of the fit"


def _megabytes(data: Any) -> float | None:
    size = getattr(data, "nbytes", None)
    if kind_of(data).startswith("scipy.sparse"):
        size = sum(getattr(getattr(data, name, None), "nbytes", 0) for name in ("data", "indices", "indptr"))
    elif kind_of(data) == "pandas.DataFrame":
        size = int(data.memory_usage(index=False).sum())
    return size / 1e6 if isinstance(size, int) else None
