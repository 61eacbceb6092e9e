"""Names, versions, stages and aliases of models: one contract, its SQL implementation, and model URIs."""

from fitbook.registry._base import Registry
from fitbook.registry._rules import alias as checked_alias
from fitbook.registry._rules import new_model_name as checked_name
from fitbook.registry._sql import PARENT_TAG, SqlRegistry
from fitbook.registry._uri import (
    AliasUri,
    LatestUri,
    ModelIdUri,
    ModelUri,
    PathUri,
    RegisteredUri,
    RemoteUri,
    RunUri,
    StageUri,
    VersionUri,
    parse,
)

__all__ = [
    "PARENT_TAG",
    "AliasUri",
    "LatestUri",
    "ModelIdUri",
    "ModelUri",
    "PathUri",
    "RegisteredUri",
    "Registry",
    "RemoteUri",
    "RunUri",
    "SqlRegistry",
    "StageUri",
    "VersionUri",
    "checked_alias",
    "checked_name",
    "parse",
]
