"""Copying the files of a run: each whole or not at all, those that are there already not again."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from fitbook.artifacts import Artifacts, LocalArtifacts, noted, pieces
from fitbook.entities import StoredFile
from fitbook.errors import FitbookError, InvalidValue, StoreUnavailable
from fitbook.transfer._records import Files, LoggedModelRecord
from fitbook.transfer._summary import Summary


def copy_files(
    files: Files,
    target: Artifacts,
    summary: Summary,
    owner: str,
    *,
    under: str = "",
    recorded: Mapping[str, StoredFile] | None = None,
    finished: bool = False,
) -> list[StoredFile]:
    """Copy what is not there, or is there with another content.

    Parameters
    ----------
    files : Files
        Where to copy from.
    target : Artifacts
        Where to.
    summary : Summary
        Takes the counts, and the files that could not be copied.
    owner : str
        The run, for naming them.
    under : str
        A folder of ``target`` for all of them.
    recorded : mapping of str to StoredFile, optional
        What the store has noted of the target's files, by path.
    finished : bool
        Whether the files were copied after they had been written for the last time: the size then says enough, and one
        of another size was changed here.

    Returns
    -------
    list of StoredFile
        All that are there now, but for those whose note is right.
    """
    recorded = recorded or {}
    if isinstance(files, LocalArtifacts) and isinstance(target, LocalArtifacts) and files.root == target.root:
        return []
    try:
        there = {info.path: info.file_size for info in target.find(under)}
    except InvalidValue as error:
        summary.skip("files", f"{owner}/{under}", error)
        return []
    new: list[StoredFile] = []
    for info in files.find():
        path = f"{under}/{info.path}" if under else info.path
        try:
            known = recorded.get(path)
            if finished and known is not None and known.sha256 and there.get(path) == known.size:
                if known.size == info.file_size:
                    summary.there["files"] += 1
                else:
                    summary.skip("file", f"{owner}/{path}", "has another content here, which stays")
                continue
            if there.get(path) == info.file_size and path in there:
                kept = known or noted(path, pieces(target.local_path(path)))
                if noted(path, pieces(files.local_path(info.path))) == kept:
                    summary.there["files"] += 1
                    new += [] if known else [kept]
                    continue
            local = files.local_path(info.path)
            local.open("rb").close()  # what can't be read is no fault of the target's
            new.append(target.put(path, local))
            summary.taken["files"] += 1
        except StoreUnavailable:
            raise
        except (FitbookError, OSError) as error:
            summary.skip("file", f"{owner}/{path}", error)
    return new


def place_models(models: Iterable[LoggedModelRecord], known: Mapping[str, str], own: Container[str]) -> dict[str, str]:
    """Choose for each model that MLflow 3 keeps beside its run where in the run it goes: its own name, if that is free.

    Parameters
    ----------
    models : iterable of LoggedModelRecord
        The models of one run.
    known : mapping of str to str
        The paths of those that are here already, by model id.
    own : container of str
        What the run itself has at its top.

    Returns
    -------
    dict of str to str
        The path of each model, by model id.
    """
    chosen = dict(known)
    for model in sorted(models, key=lambda model: (model.creation_timestamp, model.model_id)):
        if model.model_id not in chosen:
            free = model.name not in own and model.name not in chosen.values()
            chosen[model.model_id] = model.name if free else f"{model.name}-{model.model_id[2:10]}"
    return chosen
