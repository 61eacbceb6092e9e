"""The contract of a model registry; `fitbook.testing.registry_suite` is the same contract as tests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, final

from fitbook.entities import ModelMove, ModelVersion, PagedList, RegisteredModel
from fitbook.errors import NotFound
from fitbook.registry._uri import AliasUri, LatestUri, RegisteredUri, VersionUri


class Registry(ABC):
    """Registered models, their versions, tags, stages and aliases.

    **Threads and processes.** All methods may be called from any number of threads and processes at once. Each is one
    transaction: it happens wholly or, when it raises, not at all, and what it did is durable when it returns.

    **Snapshots.** What is returned is a frozen copy as of the call; later changes don't reach it.

    **Versions** count 1, 2, 3 … for each model and are never given out twice, also not after the highest was deleted.
    A ``version`` argument is an int or its decimal digits as text.

    **Names.** A model name is any text without control characters and ``/ : ? # \\``, and a new one without ``%``; an
    alias has letters, digits, ``_`` and ``-`` and is not ``latest`` or ``v<number>``; tag keys are letters, digits and
    ``_ - . : /`` and space. No new model name or alias looks like another one; upper and lower case look different.

    **History.** Every move of an alias or stage is an entry, written with it, that stays: of a version and model that
    are deleted, too, and under the new name of one that is renamed. ``user_id`` and ``reason`` say who moves it and why.

    **Errors**, for every method: `InvalidValue` when an argument breaks a rule (before anything is looked up),
    `NotFound` when the model, version or alias does not exist, `StoreUnavailable` when the store can't be used.
    The methods name only what they raise besides.
    """

    @abstractmethod
    def create_registered_model(
        self, name: str, tags: Mapping[str, str] | None = None, description: str | None = None
    ) -> RegisteredModel:
        """Take a name, without any version yet.

        Raises
        ------
        AlreadyExists
            The name is taken.
        """

    @abstractmethod
    def get_registered_model(self, name: str) -> RegisteredModel:
        """A model with its tags, aliases and the newest version of each stage."""

    @abstractmethod
    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Give a model, with all that belongs to it, another name.

        Raises
        ------
        AlreadyExists
            The new name is taken by another model.
        """

    @abstractmethod
    def update_registered_model(self, name: str, description: str | None) -> RegisteredModel:
        """Replace a model's description; None empties it."""

    @abstractmethod
    def delete_registered_model(self, name: str, *, user_id: str = "", reason: str = "") -> None:
        """Remove a model with all its versions, tags and aliases; the files of the versions stay."""

    @abstractmethod
    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int = 100,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        """One page of the models that a filter admits.

        Parameters
        ----------
        filter_string : str, optional
            Over ``name``, ``creation_timestamp``, ``last_updated_timestamp`` and ``tags.<key>``; none admits all.
        max_results : int
            Size of the page, 1 to 1000.
        order_by : sequence of str, optional
            The same names, each with ``ASC`` or ``DESC``; by name where that leaves a choice.
        page_token : str, optional
            ``token`` of the page before.
        """

    @abstractmethod
    def get_latest_versions(self, name: str, stages: Sequence[str] | None = None) -> list[ModelVersion]:
        """The newest version in each of ``stages``, lowest version first; no stages given are all of them."""

    @abstractmethod
    def set_registered_model_tag(self, name: str, key: str, value: str) -> None:
        """Set a tag of a model, replacing the value it had."""

    @abstractmethod
    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Remove a tag of a model; does nothing when there is no such tag."""

    @abstractmethod
    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = "",
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Add the next version to a model that exists.

        Parameters
        ----------
        name : str
            The registered model.
        source : str
            Where the model's folder is: a URI or path.
        run_id : str, optional
            The run that made it; empty when none did.
        tags : mapping, optional
            Tags of the version.
        description : str, optional
            Free text.
        model_id : str, optional
            The id under which the run logged it.
        """

    @abstractmethod
    def get_model_version(self, name: str, version: int | str) -> ModelVersion:
        """One version with its tags and aliases."""

    @abstractmethod
    def update_model_version(self, name: str, version: int | str, description: str | None = None) -> ModelVersion:
        """Replace a version's description; None empties it."""

    @abstractmethod
    def transition_model_version_stage(
        self,
        name: str,
        version: int | str,
        stage: str,
        archive_existing_versions: bool = False,
        *,
        user_id: str = "",
        reason: str = "",
    ) -> ModelVersion:
        """Move a version into a stage.

        Parameters
        ----------
        name, version
            The version.
        stage : str
            ``None``, ``Staging``, ``Production`` or ``Archived``, in any case.
        archive_existing_versions : bool
            Move the versions that are in that stage now to ``Archived``; only for ``Staging`` and ``Production``.
        user_id, reason : str, optional
            For the history.
        """

    @abstractmethod
    def delete_model_version(self, name: str, version: int | str, *, user_id: str = "", reason: str = "") -> None:
        """Remove a version with its tags, and the aliases that point at it; its files stay."""

    @abstractmethod
    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int = 10_000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        """One page of the versions that a filter admits, the last changed first unless ordered otherwise.

        Parameters
        ----------
        filter_string : str, optional
            Over ``name``, ``version_number``, ``run_id``, ``source_path``, ``current_stage``, the timestamps and
            ``tags.<key>``; none admits all.
        max_results : int
            Size of the page, 1 to 200,000.
        order_by : sequence of str, optional
            The same names, each with ``ASC`` or ``DESC``.
        page_token : str, optional
            ``token`` of the page before.
        """

    @abstractmethod
    def set_model_version_tag(self, name: str, version: int | str, key: str, value: str) -> None:
        """Set a tag of a version, replacing the value it had."""

    @abstractmethod
    def delete_model_version_tag(self, name: str, version: int | str, key: str) -> None:
        """Remove a tag of a version; does nothing when there is no such tag."""

    @abstractmethod
    def set_registered_model_alias(
        self, name: str, alias: str, version: int | str, *, user_id: str = "", reason: str = ""
    ) -> None:
        """Point an alias at a version; it leaves the version that it pointed at before."""

    @abstractmethod
    def delete_registered_model_alias(self, name: str, alias: str, *, user_id: str = "", reason: str = "") -> None:
        """Remove an alias; does nothing when there is no such alias."""

    @abstractmethod
    def settle_registered_model_alias(
        self,
        name: str,
        alias: str,
        version: int | str,
        *,
        holder: int | None,
        wins: bool,
        figures: Mapping[str, Any],
        user_id: str = "",
        reason: str = "",
    ) -> bool:
        """Write down how a version has compared with the holder of an alias, and move the alias if the version has won.

        Parameters
        ----------
        name, alias, version
            Who competes for what.
        holder : int or None
            The version that it was compared with; None if the alias pointed at none.
        wins : bool
            Whether the alias moves.
        figures : mapping
            What it was decided by, of plain values; they go into the entry, and into the version's tag
            ``fitbook.promotion``.
        user_id, reason : str, optional
            For the history.

        Returns
        -------
        bool
            False, and nothing is written, if the alias does not point at ``holder`` any more: compare again.
        """

    @abstractmethod
    def get_model_history(self, name: str, max_results: int = 1000) -> list[ModelMove]:
        """The last entries about a model's aliases and stages, the newest first.

        Those of deleted models of that name belong to them; a model that was deleted still has a history.
        """

    @abstractmethod
    def undo_model_move(
        self, name: str, number: int | None = None, *, user_id: str = "", reason: str = ""
    ) -> list[ModelMove]:
        """Put an alias or stage back to where it was before an entry; that, too, is an entry.

        Parameters
        ----------
        name : str
            The model.
        number : int, optional
            Of the entry; of the last one that is no undo and was not undone, if not given.
        user_id, reason : str, optional
            For the history.

        Returns
        -------
        list of ModelMove
            The new entries: one, and one more for each version that the move had archived.

        Raises
        ------
        WrongState
            What was moved has been moved again since, or where it was has been deleted.
        """

    @abstractmethod
    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """The version that an alias points at; ``latest`` is the highest version."""

    @abstractmethod
    def merge_registered_model(
        self,
        model: RegisteredModel,
        versions: Sequence[ModelVersion] = (),
        deleted: Sequence[int] = (),
        history: Sequence[ModelMove] = (),
    ) -> list[int]:
        """Add a model that another registry keeps: versions with their own numbers, times, stages and tags.

        What is here already stays as it is: the model's description, tags and aliases of the same name, and versions of
        the same number. So it may be done again, with what is new there.

        Parameters
        ----------
        model : RegisteredModel
            The model with its tags and aliases; ``latest_versions`` are not looked at.
        versions : sequence of ModelVersion
            Its versions.
        deleted : sequence of int
            Numbers that are not to be given out, because their versions were deleted there.
        history : sequence of ModelMove
            What has become of its aliases and stages, the newest first. It comes along if the model is new here: nothing is
            put in between what happened here.

        Returns
        -------
        list of int
            The numbers of the versions that were added.
        """

    @final
    def resolve(self, uri: RegisteredUri) -> ModelVersion:
        """The version that a ``models:/<name>…`` URI means now.

        Parameters
        ----------
        uri : VersionUri, StageUri, LatestUri or AliasUri
            As `parse` returns it.
        """
        if isinstance(uri, VersionUri):
            return self.get_model_version(uri.name, uri.version)
        if isinstance(uri, AliasUri):
            return self.get_model_version_by_alias(uri.name, uri.alias)
        if isinstance(uri, LatestUri):
            return self.get_model_version_by_alias(uri.name, "latest")
        found = self.get_latest_versions(uri.name, [uri.stage])
        if not found:
            present = {version.current_stage for version in self.get_latest_versions(uri.name)}
            raise NotFound(f"version of model {uri.name!r} in stage", uri.stage, sorted(present))
        return found[0]
