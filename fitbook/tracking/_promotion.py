"""Promotion: an alias moves to a version only if that is better than the one which has it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from fitbook.entities import Entity, ModelVersion
from fitbook.errors import InvalidValue, NotFound, WrongState
from fitbook.models import Model
from fitbook.registry import checked_alias, checked_name
from fitbook.tracking import _context
from fitbook.tracking._backend import Backend, readable
from fitbook.tracking._folds import FoldScores, fold_scores, paired_test
from fitbook.tracking._models import load_model, local_folder

# How often another one may take the alias while this one is compared.
_ATTEMPTS = 20

Scorer = Callable[[Any, Any, Any], float]


@dataclass(frozen=True, slots=True)
class Promotion(Entity):
    """What a comparison has decided.

    Attributes
    ----------
    name, version, alias
        Who competed for what.
    promoted : bool
        Whether the alias was moved to the version.
    holder : int or None
        The version that had the alias before.
    reason : str
        Why, in words.
    figures : mapping
        What it was decided by.
    """

    name: str
    version: int
    alias: str
    promoted: bool
    holder: int | None
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Verdict:
    wins: bool
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)


_Compare = Callable[[ModelVersion, ModelVersion], _Verdict]


def promote(
    name: str,
    version: int | str,
    alias: str = "champion",
    *,
    metric: str | Scorer | None = None,
    on: tuple[Any, Any] | None = None,
    margin: float = 0.0,
    significance: float = 0.05,
) -> Promotion:
    """Give an alias to a version of a registered model if it is better than the version that has the alias.

    If no version has it, this one gets it. Either way the decision and its figures go into the model's history and the
    version's tag ``fitbook.promotion``. If the alias moves meanwhile, the comparison begins again with its new holder.

    Parameters
    ----------
    name : str
        The registered model.
    version : int or str
        The version that may become the holder.
    alias : str, default "champion"
        What it may get.
    metric : str or callable, optional
        A scorer of scikit-learn by name (``"roc_auc"``), or a function of model, X and y; more is better. If not given, the
        model's own ``score``, or that by which the searches have chosen.
    on : pair of X and y, optional
        Rows that neither model has seen; both models are loaded and scored on them. Without them, both versions have to
        come from searches over the same folds of the same data, and the corrected resampled t-test decides
        (Nadeau and Bengio 2003).
    margin : float, default 0
        How much more it has to score.
    significance : float, default 0.05
        The probability of a difference by chance, below which the t-test believes in it; not used with ``on``.

    Returns
    -------
    Promotion

    Raises
    ------
    InvalidValue
        There is nothing to compare by, or an argument has a value that it can't have.
    NotFound
        There is no such model or version.
    ModelError
        One of the models can't be loaded.
    """
    for what, value in (("margin", margin), ("significance", significance)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            raise InvalidValue(f"{what} is {value!r}; give a number of at least 0.")
    backend = readable()
    new = backend.registry.get_model_version(name, version)
    if on is not None:
        return _settle(backend, new, alias, _by_rows(on, metric, margin))
    if metric is not None and not isinstance(metric, str):
        raise InvalidValue("A metric that is a function needs rows to be computed on: give on=(X, y).")
    return _settle(backend, new, alias, _by_folds(backend, metric, margin, significance))


def check_names(name: object, alias: object) -> None:
    """Refuse, before anything is fitted, what will never be the name of a registered model, or an alias."""
    checked_name(name)
    if alias is not None:
        checked_alias(alias)


def promote_fitted(backend: Backend, new: ModelVersion, alias: str) -> Promotion:
    """Like `promote` by folds, but what can't be compared leaves the alias where it is, and that is noted, too."""
    by_folds = _by_folds(backend, None, 0.0, 0.05)

    def compare(one: ModelVersion, holder: ModelVersion) -> _Verdict:
        try:
            return by_folds(one, holder)
        except (InvalidValue, NotFound) as error:
            return _Verdict(False, f"not compared: {error}", {"compared": False})

    return _settle(backend, new, alias, compare)


def _settle(backend: Backend, new: ModelVersion, alias: str, compare: _Compare) -> Promotion:
    registry = backend.registry
    for _ in range(_ATTEMPTS):
        holder = registry.get_registered_model(new.name).aliases.get(alias)
        if holder == new.version:
            return Promotion(new.name, new.version, alias, False, holder, "it has the alias already")
        if holder is None:
            verdict = _Verdict(True, "no version had the alias")
        else:
            try:
                verdict = compare(new, registry.get_model_version(new.name, holder))
            except NotFound:
                if registry.get_registered_model(new.name).aliases.get(alias) == holder:
                    raise
                continue  # it has been deleted in the meantime
        figures = {
            "alias": alias,
            "version": new.version,
            "holder": holder,
            "promoted": verdict.wins,
            "reason": verdict.reason,
            **verdict.figures,
        }
        if registry.settle_registered_model_alias(
            new.name,
            alias,
            new.version,
            holder=holder,
            wins=verdict.wins,
            figures=figures,
            user_id=_context.user_name(),
            reason=f"version {new.version}: {verdict.reason}",
        ):
            return Promotion(new.name, new.version, alias, verdict.wins, holder, verdict.reason, figures)
    raise WrongState(f"The alias {alias!r} of {new.name!r} was moved {_ATTEMPTS} times meanwhile; try again.")


# -- on rows -----------------------------------------------------------------------------------------------------------


def _by_rows(on: Any, metric: str | Scorer | None, margin: float) -> _Compare:
    if not isinstance(on, (tuple, list)) or len(on) != 2:
        raise InvalidValue("on takes a pair, on=(X, y): rows that neither model has seen, and their targets.")
    X, y = on
    scorer = _scorer(metric)
    label = metric if isinstance(metric, str) else getattr(metric, "__name__", "score")
    scores: dict[int, float] = {}

    def score(version: ModelVersion) -> float:
        if version.version not in scores:
            found = scorer(_loaded(version), X, y)
            try:
                scores[version.version] = float(found)
            except (TypeError, ValueError):
                raise InvalidValue(
                    f"The metric {label} gave {found!r:.100} for version {version.version}; it has to give a number."
                ) from None
        return scores[version.version]

    def compare(new: ModelVersion, holder: ModelVersion) -> _Verdict:
        mine, theirs = score(new), score(holder)
        wins = mine - theirs > margin or (math.isnan(theirs) and not math.isnan(mine))
        figures = {
            "by": "rows",
            "metric": label,
            "rows": _length(X),
            "new": mine,
            "old": theirs,
            "margin": margin,
        }
        than = f"version {holder.version}'s {theirs:.6g}" + (f" by more than {margin:g}" if margin else "")
        said = f"its {label} on {_length(X)} rows, {mine:.6g}, is {'' if wins else 'not '}above {than}"
        return _Verdict(wins, said, figures)

    return compare


def _loaded(version: ModelVersion) -> Any:
    uri = f"models:/{version.name}/{version.version}"
    flavors = Model.load(local_folder(uri)).flavors
    own = next((name for name in flavors if name != "python_function"), None)
    return load_model(uri, own)


def _scorer(metric: str | Scorer | None) -> Scorer:
    if metric is None:
        return lambda model, X, y: model.score(X, y)
    if callable(metric):
        _check_parameters(metric)
        return metric
    from sklearn.metrics import get_scorer, get_scorer_names  # noqa: PLC0415

    names = get_scorer_names()
    if metric not in names:
        near = get_close_matches(str(metric), names, n=3, cutoff=0.5)
        hint = (
            f"; did you mean {' or '.join(map(repr, near))}?"
            if near
            else "; sklearn.metrics.get_scorer_names() has all."
        )
        raise InvalidValue(f"There is no scorer {metric!r} in scikit-learn{hint}")
    return get_scorer(metric)  # type: ignore[no-any-return]


def _check_parameters(metric: Callable[..., Any]) -> None:
    """Refuse a function of other parameters, such as those of ``sklearn.metrics``, before a model is loaded for it."""
    try:
        signature = inspect.signature(metric)
    except (TypeError, ValueError):  # compiled: nothing is known of it
        return
    name = getattr(metric, "__name__", repr(metric))
    if "y_true" in signature.parameters:
        raise InvalidValue(
            f"The metric {name} takes true and predicted values; give a scorer, of which more is better: its name in "
            f"sklearn.metrics.get_scorer_names(), or sklearn.metrics.make_scorer({name})."
        )
    try:
        signature.bind(None, None, None)
    except TypeError:
        raise InvalidValue(f"The metric {name}{signature} can't be called with a model, X and y.") from None


def _length(X: Any) -> int:
    shape = getattr(X, "shape", None)
    return int(shape[0]) if shape else len(X)


# -- on folds ----------------------------------------------------------------------------------------------------------


def _by_folds(backend: Backend, metric: str | None, margin: float, significance: float) -> _Compare:
    def compare(new: ModelVersion, holder: ModelVersion) -> _Verdict:
        mine, theirs = (_folds_of(backend, version, metric) for version in (new, holder))
        if not mine.same or mine.same != theirs.same or len(mine.scores) != len(theirs.scores):
            raise InvalidValue(
                f"Version {new.version} and version {holder.version} of {new.name!r} were not scored in the same way on the "
                "same folds of the same data. Give rows that neither has seen: "
                f"fitbook.promote({new.name!r}, {new.version}, on=(X, y))."
            )
        test = paired_test(mine.scores, theirs.scores, mine.ratio, margin)
        wins = test.p < significance
        figures = {
            "by": "folds",
            "metric": mine.metric,
            "folds": test.n,
            "new": math.fsum(mine.scores) / test.n,
            "old": math.fsum(theirs.scores) / test.n,
            "difference": test.difference,
            "margin": margin,
            "t": test.t if math.isfinite(test.t) else None,
            "p": test.p if math.isfinite(test.p) else None,
            "significance": significance,
        }
        above = f"above version {holder.version}'s" + (f" by more than {margin:g}" if margin else "")
        said = (
            f"its {mine.metric} over {test.n} folds is {'' if wins else 'not '}significantly {above} "
            f"(difference {test.difference:+.4g}, p = {test.p:.3g})"
        )
        return _Verdict(wins, said, figures)

    return compare


def _folds_of(backend: Backend, version: ModelVersion, metric: str | None) -> FoldScores:
    found = None
    if version.run_id:
        found = fold_scores(backend.store, backend.store.get_run(version.run_id), metric)
    if found is None:
        of = f" by {metric!r}" if metric else ""
        raise InvalidValue(
            f"Version {version.version} of {version.name!r} comes from no recorded search with scores of each fold{of}. Give "
            f"rows that it has not seen: fitbook.promote({version.name!r}, …, on=(X, y))."
        )
    return found
