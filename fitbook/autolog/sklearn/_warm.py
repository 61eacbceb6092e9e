"""Repeated fits of an estimator with ``warm_start=True``: each goes on from the last one, and so does its run."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fitbook import _validate
from fitbook.autolog._config import Config
from fitbook.autolog.sklearn import _links
from fitbook.autolog.sklearn._iterations import Curves
from fitbook.tracking import _active

if TYPE_CHECKING:
    from fitbook.autolog._record import RunRecord

_going_on: dict[int, tuple[weakref.ref[Any], WarmFit]] = {}


@dataclass(slots=True)
class WarmFit:
    """Where a fit stands among those of its estimator.

    Attributes
    ----------
    number : int
        1 for the first one with ``warm_start=True``; 0 for a fit without.
    before : RunRecord or None
        The record of the fit that it goes on from.
    metrics, tags : dict
        Params that are others than in that fit: numbers as metrics, others as tags ``fitbook.param.…``. A run's params
        themselves stand.
    """

    params: Mapping[str, str]
    number: int = 0
    before: RunRecord | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    _active: Any = None
    # The last point that was read of each curve, and how many steps further on it is in the run.
    _read: dict[str, tuple[int, float, int]] = field(default_factory=dict)

    def new_points(self, curves: Curves) -> Curves:
        """What is new of curves: of those that go on from the last fit, or else begin anew, behind what is there.

        Values for the whole fit are at the step of its number.
        """
        if not self.number:
            return curves
        found: Curves = {}
        for name, curve in curves.items():
            if len(curve) == 1 and curve[0][0] == 0:
                found[name] = [(self.number, curve[0][1])]
                continue
            last, value, shift = self._read.get(name, (-1, 0.0, 0))
            # Staged predictions are of a sample, which need not be the same.
            if last >= 0 and not name.endswith("_staged") and dict(curve).get(last) != value:
                last, shift = -1, shift + last
            found[name] = [(step + shift, value) for step, value in curve if step > last]
            self._read[name] = (*curve[-1], shift)
        return {name: curve for name, curve in found.items() if curve}

    def keep(self, estimator: Any, record: RunRecord) -> None:
        """Let the next fit go on from this one, whose record is given."""
        if self.number:
            self.before = record
            _links.remember(_going_on, estimator, self)


def warm_fit(config: Config, estimator: Any, params: Mapping[str, str]) -> WarmFit:
    """Tell where a fit stands that is about to begin.

    Parameters
    ----------
    config : Config
    estimator : estimator
        Whose fit is recorded; that one inside it has ``warm_start=True`` does not count.
    params : mapping of str to str
        Its parameters as text.
    """
    active = None if config.exclusive else _active.innermost()
    last: WarmFit | None = _links.recall(_going_on, estimator)
    _going_on.pop(id(estimator), None)
    if params.get("warm_start") != "True":
        return WarmFit(params)
    if last is None or last._active is not active or last.before is None or not last.before.saved:
        return WarmFit(params, 1, _active=active)
    fit = WarmFit(params, last.number + 1, last.before, _active=active, _read=last._read)
    for name, value in params.items():
        if last.params.get(name) != value and name in config.params:
            try:
                fit.metrics[name] = float(value)
            except ValueError:
                fit.tags[_validate.safe_key(f"fitbook.param.{name}")] = value
    return fit
