"""Where the fields of the searched entities are found in the tables, and the order that they come in by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fitbook.store import _tables as t
from fitbook.store._filter_entities import EXPERIMENTS, MODEL_VERSIONS, REGISTERED_MODELS, RUNS, Entity

# How a location under the store's root is written, so that the store can be moved.
UNDER_ROOT = "./"


@dataclass(frozen=True, slots=True)
class Term:
    """One expression that results are ordered by; it may be NULL only where a term before it tells so."""

    value: Any
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Where an entity's fields are found.

    ``attributes`` are SQL expressions. ``ties`` break the ties of an ordering (with the names of the attributes, which
    may be in the ordering already), and ``usual`` is the order of a search without one.
    """

    key: sa.Column[int]
    tags: sa.Table
    attributes: Mapping[str, Any]
    ties: tuple[tuple[str, Term], ...]
    usual: tuple[Term, ...]

    def table(self, kind: str) -> sa.Table:
        """The table of a kind of field that has keys."""
        return {"metric": t.metrics, "param": t.params}.get(kind, self.tags)

    def row(self, table: sa.FromClause, key: str) -> sa.ColumnElement[bool]:
        """The condition for the row of such a table that holds a key of what is searched."""
        owner = next(iter(table.primary_key))
        return sa.and_(owner == self.key, table.c.key == key)


def _runs(artifact_root: str) -> Target:
    c, experiments = t.runs.c, t.experiments.alias()
    # An alias, for the statement may have the experiments in its FROM clause.
    own = sa.select(experiments.c.artifact_location).where(experiments.c.id == c.experiment).scalar_subquery()
    general = sa.literal(f"{artifact_root}/").concat(sa.cast(c.experiment, sa.String(20)))
    attributes: dict[str, Any] = {
        name: c[name]
        for name in ("run_id", "parent_run_id", "status", "start_time", "end_time", "user_id", "lifecycle_stage")
    }
    attributes["run_name"], attributes["experiment_id"] = c.name, c.experiment
    below = sa.literal(f"{artifact_root}/").concat(sa.func.substr(own, len(UNDER_ROOT) + 1))
    folder = sa.case(
        (own.startswith(UNDER_ROOT), below),
        else_=sa.func.coalesce(sa.func.nullif(own, ""), general, type_=sa.Text()),
    )
    attributes["artifact_uri"] = folder.concat("/").concat(c.run_id).concat("/artifacts")
    newest = Term(c.start_time, True)
    ties = (("start_time", newest), ("run_id", Term(c.run_id)))
    return Target(c.id, t.tags, attributes, ties, (newest, Term(c.id, True)))


def _experiments(_: str) -> Target:
    c = t.experiments.c
    attributes = {name: c[name] for name in ("name", "creation_time", "last_update_time", "lifecycle_stage")}
    attributes["experiment_id"] = c.id
    last = Term(c.id, True)
    return Target(c.id, t.experiment_tags, attributes, (("experiment_id", last),), (Term(c.creation_time, True), last))


def _models(_: str) -> Target:
    c = t.registered_models.c
    attributes = {name: c[name] for name in ("name", "creation_timestamp", "last_updated_timestamp")}
    return Target(c.id, t.registered_model_tags, attributes, (("name", Term(c.name)),), (Term(c.name),))


def _versions(_: str) -> Target:
    c, models = t.model_versions.c, t.registered_models.alias()
    name = sa.select(models.c.name).where(models.c.id == c.model).scalar_subquery()
    attributes: dict[str, Any] = {"name": name, "version_number": c.version, "source_path": c.source}
    attributes |= {each: c[each] for each in ("run_id", "status", "creation_timestamp", "last_updated_timestamp")}
    attributes["current_stage"] = c.stage
    ties = (("name", Term(name)), ("version_number", Term(c.version, True)))
    usual = (Term(c.last_updated_timestamp, True), *(term for _, term in ties))
    return Target(c.id, t.model_version_tags, attributes, ties, usual)


_TARGETS: Mapping[str, Callable[[str], Target]] = {
    RUNS.name: _runs,
    EXPERIMENTS.name: _experiments,
    REGISTERED_MODELS.name: _models,
    MODEL_VERSIONS.name: _versions,
}


def target_of(entity: Entity, artifact_root: str) -> Target:
    """Give the target of an entity.

    Parameters
    ----------
    entity : Entity
        What is searched.
    artifact_root : str
        Where the artifacts of experiments without a location of their own are; for ``artifact_uri``.
    """
    return _TARGETS[entity.name](artifact_root)
