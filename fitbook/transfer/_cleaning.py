"""Making what another tool has kept into what fitbook accepts; what had to be changed is named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from fitbook import _validate
from fitbook.entities import Dataset, Metric, RunDraft
from fitbook.errors import InvalidValue
from fitbook.transfer._records import Problem

RUN_NAME_TAG = "mlflow.runName"
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def cleaned(draft: RunDraft, problems: list[Problem]) -> RunDraft:
    """The same run with keys and a name that fitbook accepts.

    A key that is too long or odd becomes one that is not, unless the run has that one too. What is changed or lost is added
    to ``problems``.

    Raises
    ------
    InvalidValue
        The run's id is not one.
    """
    if not _RUN_ID.fullmatch(draft.run_id):
        raise InvalidValue(f"the run id {draft.run_id!r} is not 32 hexadecimal digits")
    say = _Sayer(draft.run_id, problems)
    name = _UNPRINTABLE.sub(" ", draft.run_name).strip()[: _validate.MAX_NAME] or draft.run_id[:8]
    if draft.run_name and name != draft.run_name:
        say("run name", draft.run_name, f"kept as {name!r}")
    keys = _new_keys("metric", (metric.key for metric in draft.metrics), say)
    tags = _clean_texts("tag", draft.tags, say)
    if RUN_NAME_TAG in tags:
        tags[RUN_NAME_TAG] = name
    return replace(
        draft,
        run_name=name,
        user_id=_UNPRINTABLE.sub(" ", draft.user_id)[: _validate.MAX_NAME],
        params=_clean_texts("parameter", draft.params, say),
        tags=tags,
        datasets=[replace(d, dataset=_clean_dataset(d.dataset, say)) for d in draft.datasets],
        metrics=[_renamed(m, new) for m in draft.metrics if (new := keys[m.key]) is not None],
    )


def clean_tags(owner: str, tags: Mapping[str, str], problems: list[Problem]) -> dict[str, str]:
    """Tags of anything else, in the same way."""
    return _clean_texts("tag", tags, _Sayer(owner, problems))


class _Sayer:
    def __init__(self, owner: str, problems: list[Problem]) -> None:
        self._owner, self._problems = owner, problems

    def __call__(self, kind: str, key: str, reason: str) -> None:
        self._problems.append(Problem(kind, f"{self._owner}/{key[:60]}", reason))


def _clean_texts(kind: str, values: Mapping[str, str], say: Callable[[str, str, str], None]) -> dict[str, str]:
    keys = _new_keys(kind, values, say)
    found = {new: _validate.safe_text(values[key]) for key, new in keys.items() if new is not None}
    for key, new in keys.items():
        if new is not None and found[new] != values[key]:
            say(kind, key, "kept with escapes for what not every database can hold, or cut")
    return found


def _new_keys(kind: str, keys: Iterable[str], say: Callable[[str, str, str], None]) -> dict[str, str | None]:
    """What each key becomes: itself if it is allowed, else one that is, if no other key is or becomes the same."""
    keys = list(dict.fromkeys(keys))
    found: dict[str, str | None] = {key: _allowed(kind, key) for key in keys}
    used = {new for new in found.values() if new is not None}
    for key in keys:
        if found[key] is None:
            safe = _validate.safe_key(key)
            if safe in used:
                say(kind, key, f"not taken: the key is not allowed, and {safe[:60]!r} is there too")
            else:
                say(kind, key, f"kept as {safe[:60]!r}")
                found[key] = safe
                used.add(safe)
    return found


def _allowed(kind: str, key: str) -> str | None:
    try:
        return _validate.key(kind, key)
    except InvalidValue:
        return None


def _clean_dataset(data: Dataset, say: Callable[[str, str, str], None]) -> Dataset:
    name = _validate.safe_text(data.name)[: _validate.MAX_NAME]
    if name != data.name:
        say("data set", data.name, f"kept as {name[:60]!r}")
    return replace(data, name=name)


def _renamed(metric: Metric, key: str) -> Metric:
    return metric if metric.key == key else replace(metric, key=key)
