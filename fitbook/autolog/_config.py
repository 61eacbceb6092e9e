"""What the user asked of `autolog`, and whether it is on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Selection:
    """Names that patterns choose: those that match one of ``wanted`` and none of ``unwanted``."""

    wanted: tuple[str, ...] = ("*",)
    unwanted: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        if self == EVERYTHING:
            return True
        return _matches(name, self.wanted) and not _matches(name, self.unwanted)


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Config:
    """The options of `fitbook.autolog`; documented there."""

    log_models: bool = True
    log_datasets: bool = True
    log_model_signatures: bool = True
    log_input_examples: bool = False
    log_post_training_metrics: bool = True
    log_plots: bool = True
    silent: bool = False
    exclusive: bool = False
    max_tuning_runs: int | None = None
    registered_model_name: str | None = None
    promote: str | None = None
    serialization_format: str | None = None
    pos_label: int | str | None = None
    extra_tags: Mapping[str, str] = field(default_factory=dict)
    include: tuple[str | type, ...] = ("*",)
    exclude: tuple[str | type, ...] = ()
    params: Selection = EVERYTHING
    metrics: Selection = EVERYTHING
    artifacts: Selection = EVERYTHING
    findings: Selection = EVERYTHING
    budget_ms: float | None = 50.0
    budget_share: float = 0.05
    sampling: bool = True
    explain: bool = False
    resume_search: bool = False
    progress: bool | None = None

    def budget(self, seconds: float) -> float:
        """Seconds that recording may add to a fit that takes so many."""
        return math.inf if self.budget_ms is None else max(self.budget_ms / 1e3, self.budget_share * seconds)

    def records(self, cls: type) -> bool:
        """Whether fits of a class are to be recorded."""
        return _is_one_of(cls, self.include) and not _is_one_of(cls, self.exclude)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _is_one_of(cls: type, chosen: tuple[str | type, ...]) -> bool:
    """Whether a class is, derives from, or by its name or that of a module it is in matches one of these."""
    if not chosen or chosen == ("*",):
        return bool(chosen)
    names = [cls.__name__]
    for path in (cls.__module__.split("."), [part for part in cls.__module__.split(".") if part[:1] != "_"]):
        names += [".".join([*path, cls.__qualname__][:length]) for length in range(1, len(path) + 2)]
    patterns = tuple(one for one in chosen if isinstance(one, str))
    return any(one in cls.__mro__ for one in chosen) or any(_matches(name, patterns) for name in names)
