"""What can be asked of the things that searches are for: the names of their fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["metric", "param", "tag", "attribute", "dataset"]
ValueType = Literal["number", "text", "id"]


@dataclass(frozen=True)
class Entity:
    """What can be asked of the things that a search is for.

    Parameters
    ----------
    name : str
        What one of them is called, for messages.
    kinds : tuple of str
        The kinds of fields that they have.
    attributes : mapping of str to str
        Names of the attributes, and whether each is a ``"number"``, a ``"text"`` or an ``"id"`` (a whole number that
        users see as text).
    aliases : mapping of str to str
        Other names of attributes. Case does not matter, nor does a space instead of ``_``.
    """

    name: str
    kinds: tuple[Kind, ...]
    attributes: Mapping[str, ValueType]
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _attributes(texts: str, *, numbers: str, ids: str = "") -> dict[str, ValueType]:
    typed: dict[str, ValueType] = dict.fromkeys(texts.split(), "text")
    typed |= dict.fromkeys(numbers.split(), "number")
    typed |= dict.fromkeys(ids.split(), "id")
    return typed


RUNS = Entity(
    "run",
    ("metric", "param", "tag", "attribute", "dataset"),
    _attributes(
        "run_id run_name parent_run_id status user_id artifact_uri lifecycle_stage",
        numbers="start_time end_time",
        ids="experiment_id",
    ),
    {"created": "start_time", "run_uuid": "run_id", "parent": "parent_run_id"},
)
EXPERIMENTS = Entity(
    "experiment",
    ("tag", "attribute"),
    _attributes("name lifecycle_stage", numbers="creation_time last_update_time", ids="experiment_id"),
)
REGISTERED_MODELS = Entity(
    "registered model",
    ("tag", "attribute"),
    _attributes("name", numbers="creation_timestamp last_updated_timestamp"),
    {"timestamp": "last_updated_timestamp"},
)
MODEL_VERSIONS = Entity(
    "model version",
    ("tag", "attribute"),
    _attributes(
        "name run_id source_path current_stage status",
        numbers="version_number creation_timestamp last_updated_timestamp",
    ),
    {"version": "version_number", "source": "source_path", "stage": "current_stage"},
)

USUAL_PREFIX: Mapping[Kind, str] = {
    "metric": "metrics",
    "param": "params",
    "tag": "tags",
    "attribute": "attributes",
    "dataset": "datasets",
}
PREFIXES: Mapping[str, Kind] = (
    {usual: kind for kind, usual in USUAL_PREFIX.items()}
    | {kind: kind for kind in USUAL_PREFIX}
    | {"parameter": "param", "parameters": "param", "attr": "attribute", "run": "attribute"}
)
