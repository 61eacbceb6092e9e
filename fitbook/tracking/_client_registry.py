"""`Client`'s verbs on registered models and their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fitbook.entities import ModelMove, ModelVersion, PagedList, RegisteredModel
from fitbook.errors import InvalidValue, NotFound
from fitbook.registry import PARENT_TAG, ModelIdUri, PathUri, RegisteredUri, RemoteUri, RunUri, StageUri, parse
from fitbook.tracking import _context
from fitbook.tracking._client_core import ClientCore, texts
from fitbook.tracking._lineage import ModelLineage, lineage
from fitbook.tracking._models import register_model


class RegistryVerbs(ClientCore):
    """Names under which versions of models are kept."""

    def create_registered_model(
        self,
        name: str,
        tags: Mapping[str, Any] | None = None,
        description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> RegisteredModel:
        """Take a name for a model; ``deployment_job_id`` is Databricks' and unused."""
        return self._registry.create_registered_model(name, texts(tags), description)

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Read a registered model."""
        return self._registry.get_registered_model(name)

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Give a registered model another name."""
        return self._registry.rename_registered_model(name, new_name)

    def update_registered_model(
        self, name: str, description: str | None = None, deployment_job_id: str | None = None
    ) -> RegisteredModel:
        """Replace a registered model's description; ``deployment_job_id`` is Databricks' and unused."""
        return self._registry.update_registered_model(name, description)

    def delete_registered_model(self, name: str) -> None:
        """Remove a registered model with its versions; their files stay in the runs."""
        self._registry.delete_registered_model(name, user_id=_context.user_name())

    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int = 100,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        """Find registered models."""
        return self._registry.search_registered_models(filter_string, max_results, order_by, page_token)

    def list_registered_models(
        self, max_results: int = 100, page_token: str | None = None
    ) -> PagedList[RegisteredModel]:
        """List registered models, as MLflow 1.x called it."""
        return self.search_registered_models(max_results=max_results, page_token=page_token)

    def get_registered_model_details(self, name: str) -> RegisteredModel:
        """Read a registered model, as MLflow 1.0 called it."""
        return self.get_registered_model(name)

    def get_model_version_details(self, name: str, version: int | str) -> ModelVersion:
        """Read a version, as MLflow 1.0 called it."""
        return self.get_model_version(name, version)

    def set_registered_model_tag(self, name: str, key: str, value: Any) -> None:
        """Set one tag of a registered model."""
        self._registry.set_registered_model_tag(name, key, str(value))

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Remove one tag of a registered model."""
        self._registry.delete_registered_model_tag(name, key)

    def set_registered_model_alias(self, name: str, alias: str, version: int | str, *, reason: str = "") -> None:
        """Point an alias at a version; why goes into the model's history."""
        user = _context.user_name()
        self._registry.set_registered_model_alias(name, alias, version, user_id=user, reason=reason)

    def delete_registered_model_alias(self, name: str, alias: str, *, reason: str = "") -> None:
        """Remove an alias."""
        self._registry.delete_registered_model_alias(name, alias, user_id=_context.user_name(), reason=reason)

    def get_model_history(self, name: str, max_results: int = 1000) -> list[ModelMove]:
        """List who has moved which alias or stage of a registered model, from where to where, the newest first.

        Also of a model that was deleted.
        """
        return self._registry.get_model_history(name, max_results)

    def undo_model_move(self, name: str, number: int | None = None, *, reason: str = "") -> list[ModelMove]:
        """Put an alias or stage back to where it was before an entry of the history; the last move, if none is given.

        Returns the entries that this makes itself. Raises `WrongState` if it has been moved again since.
        """
        return self._registry.undo_model_move(name, number, user_id=_context.user_name(), reason=reason)

    def get_model_lineage(self, name: str, version: int | str) -> ModelLineage:
        """Tell where a version comes from: its run, the data that the run was fitted to, and the version before it."""
        return lineage(self._backend, self._registry.get_model_version(name, version))

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Mapping[str, Any] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        await_creation_for: int | None = None,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Add a version to a registered model; ``run_link`` and ``await_creation_for`` are MLflow's and unused."""
        return self._registry.create_model_version(name, source, run_id, texts(tags), description, model_id)

    def register_model(self, model_uri: str, name: str) -> ModelVersion:
        """Make a logged model of the current store a version; see `fitbook.register_model`."""
        return register_model(model_uri, name)

    def get_model_version(self, name: str, version: int | str) -> ModelVersion:
        """Read a version."""
        return self._registry.get_model_version(name, version)

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Read the version that an alias points at."""
        return self._registry.get_model_version_by_alias(name, alias)

    def get_latest_versions(self, name: str, stages: Sequence[str] | None = None) -> list[ModelVersion]:
        """Read the newest version of each stage."""
        return self._registry.get_latest_versions(name, stages)

    def get_model_version_download_uri(self, name: str, version: int | str) -> str:
        """Tell where the files of a version are."""
        return self._registry.get_model_version(name, version).source

    def get_model_version_stages(self, name: str, version: int | str) -> list[str]:
        """List the stages that a version can be in."""
        self._registry.get_model_version(name, version)
        return ["None", "Staging", "Production", "Archived"]

    def copy_model_version(self, src_model_uri: str, dst_name: str) -> ModelVersion:
        """Make a version of one registered model a new version of another, which is made if there is none."""
        source = self._registry.resolve(_registered(src_model_uri))
        try:
            self._registry.get_registered_model(dst_name)
        except NotFound:
            self._registry.create_registered_model(dst_name)
        parent = f"{source.name}/{source.version}"
        return self._registry.create_model_version(
            dst_name,
            # By the id its files are found when the source is gone.
            f"models:/{parent}" if source.model_id else source.source,
            source.run_id,
            {**source.tags, PARENT_TAG: parent},
            source.description,
            source.model_id,
        )

    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int = 10_000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        """Find versions."""
        return self._registry.search_model_versions(filter_string, max_results, order_by, page_token)

    def update_model_version(self, name: str, version: int | str, description: str | None = None) -> ModelVersion:
        """Replace a version's description."""
        return self._registry.update_model_version(name, version, description)

    def transition_model_version_stage(
        self,
        name: str,
        version: int | str,
        stage: str,
        archive_existing_versions: bool = False,
        *,
        reason: str = "",
    ) -> ModelVersion:
        """Move a version to a stage."""
        user = _context.user_name()
        return self._registry.transition_model_version_stage(
            name, version, stage, archive_existing_versions, user_id=user, reason=reason
        )

    def delete_model_version(self, name: str, version: int | str) -> None:
        """Remove a version; its files stay in the run."""
        self._registry.delete_model_version(name, version, user_id=_context.user_name())

    def set_model_version_tag(
        self,
        name: str,
        version: int | str | None = None,
        key: str | None = None,
        value: Any = None,
        stage: str | None = None,
    ) -> None:
        """Set one tag of a version, given by its number or as the newest of a stage."""
        number = self._version(name, version, stage)
        self._registry.set_model_version_tag(name, number, _needed("key", key), str(_needed("value", value)))

    def delete_model_version_tag(
        self, name: str, version: int | str | None = None, key: str | None = None, stage: str | None = None
    ) -> None:
        """Remove one tag of a version, given by its number or as the newest of a stage."""
        self._registry.delete_model_version_tag(name, self._version(name, version, stage), _needed("key", key))

    def _version(self, name: str, version: int | str | None, stage: str | None) -> int | str:
        if (version is None) == (stage is None):
            raise InvalidValue(f"Give either the version of the model {name!r} or a stage, and not both.")
        if stage is None:
            return _needed("version", version)  # type: ignore[no-any-return]
        return self._registry.resolve(StageUri(name, stage)).version


def _needed(name: str, value: Any) -> Any:
    if value is None:
        raise InvalidValue(f"The tag of a model version needs {name}=….")
    return value


def _registered(uri: str) -> RegisteredUri:
    parsed = parse(uri)
    if isinstance(parsed, (RunUri, ModelIdUri, PathUri, RemoteUri)):
        raise InvalidValue(f"{uri!r} is no version of a registered model; write models:/<name>/<version> or @<alias>.")
    return parsed
