"""What ``fitbook gc`` deletes: found first, then deleted, files before rows, so that a second run ends what one began."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fitbook.artifacts import Artifacts, LocalArtifacts, open_artifacts
from fitbook.cli._record import every_experiment
from fitbook.entities import Experiment, LifecycleStage, ViewType
from fitbook.errors import FitbookError, InvalidValue, NotFound
from fitbook.store import SqlStore, directory_of
from fitbook.transfer import SOURCE_TAG

_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_AT_ONCE = 50
_ORPHAN_AGE = 86_400  # seconds; a run may be starting, or coming from elsewhere


@dataclass(frozen=True)
class Folder:
    """The files of one run: where they are, how many, and their bytes; nowhere if they are another tool's, and stay."""

    location: str
    run_id: str
    files: int
    size: int


@dataclass(frozen=True)
class Orphan(Folder):
    """The files of a run that the store does not know; ``why_not`` says why they can't be deleted, if so."""

    why_not: str = ""


@dataclass
class Plan:
    """What is to go; ``kept`` says which runs have to stay and why, ``unread`` which places can't be looked into."""

    runs: list[Folder] = field(default_factory=list)
    experiments: list[Experiment] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    orphans: list[Orphan] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    @property
    def files(self) -> int:
        """How many files go."""
        return sum(folder.files for folder in (*self.runs, *self.deletable()))

    @property
    def size(self) -> int:
        """How many bytes of files go."""
        return sum(folder.size for folder in (*self.runs, *self.deletable()))

    def deletable(self) -> list[Orphan]:
        """The orphans that may be deleted."""
        return [orphan for orphan in self.orphans if not orphan.why_not]


@dataclass(frozen=True)
class Selection:
    """Which deleted runs are meant: deleted before a time, of some experiments, that a filter admits, or by id."""

    before: int | None = None
    experiments: Sequence[Experiment] | None = None
    filter_string: str | None = None
    run_ids: Sequence[str] = ()


def parse_age(text: str) -> int:
    """Read a span of time such as ``12h`` as milliseconds.

    Raises
    ------
    InvalidValue
        It is none.
    """
    found = re.fullmatch(rf"\s*([0-9]{{1,9}})\s*({'|'.join(_UNITS)})\s*", text)
    if found is None:
        raise InvalidValue(
            f"The age {text!r} can't be read; write a number and one of {', '.join(_UNITS)}, e.g. 30d or 12h."
        )
    return int(found[1]) * _UNITS[found[2]] * 1000


def plan(store: SqlStore, uri: str, selection: Selection, *, orphans: bool) -> Plan:
    """Find what is to go; changes nothing."""
    every = every_experiment(store)
    chosen = every if selection.experiments is None else list(selection.experiments)
    found = Plan()
    selected = dict(_selected(store, chosen, selection))
    models = store.runs_of_models(list(selected))
    found.kept = {run_id: f"the model version {version} comes from it" for run_id, version in models.items()}
    for run_id, location in selected.items():
        if run_id not in models:
            try:
                found.runs.append(Folder(location, run_id, *_measure(location, run_id)))
            except FitbookError as error:
                found.kept[run_id] = str(error)
    found.rows = store.count_rows([folder.run_id for folder in found.runs])
    if selection.filter_string is None and not selection.run_ids:
        # The runs of an experiment are deleted with it, or before: none of them is younger.
        gone = set(store.deleted_experiments(selection.before))
        found.experiments = [e for e in chosen if e.experiment_id in gone and not _kept_in(store, e, found)]
    own = _own_root(uri)
    for location in _locations(every, own):
        try:
            found.orphans += _orphans(store, location, own, delete=orphans)
        except FitbookError as error:
            found.unread.append(str(error))
    return found


def carry_out(store: SqlStore, uri: str, found: Plan) -> list[str]:
    """Delete what a plan says; returns what could not be deleted, and why. What is restored meanwhile is left alone."""
    failed: list[str] = []
    for start in range(0, len(found.runs), _AT_ONCE):
        some = found.runs[start : start + _AT_ONCE]
        kept = store.runs_of_models([folder.run_id for folder in some])
        done = [f.run_id for f in some if f.run_id not in kept and _delete_files_of_run(store, f, failed)]
        store.purge_runs(done)
    store.purge_experiments([experiment.experiment_id for experiment in found.experiments])
    own = _own_root(uri)
    for experiment in found.experiments:
        if own is not None and experiment.artifact_location == (own / experiment.experiment_id).as_uri():
            _remove_if_empty(own / experiment.experiment_id)
    for orphan in found.deletable():
        if store.unknown_runs([orphan.run_id]):
            _delete_files(orphan, failed)
    return failed


def _selected(store: SqlStore, experiments: Sequence[Experiment], selection: Selection) -> Iterator[tuple[str, str]]:
    """Give the runs that are meant, each with where its experiment keeps files."""
    locations = {e.experiment_id: "" if SOURCE_TAG in e.tags else e.artifact_location for e in experiments}
    old = set(store.deleted_runs(selection.before))
    if selection.run_ids:
        old &= set(selection.run_ids)
    token: str | None = ""
    while token is not None:
        page = store.search_runs(
            list(locations), selection.filter_string, ViewType.DELETED_ONLY, 1000, None, token or None
        )
        for run in page:
            if run.info.run_id in old:
                yield run.info.run_id, locations[run.info.experiment_id]
        token = page.token


def _kept_in(store: SqlStore, experiment: Experiment, found: Plan) -> bool:
    going = {folder.run_id for folder in found.runs}
    runs = store.search_runs([experiment.experiment_id], None, ViewType.ALL, max_results=len(going) + 1)
    return any(run.info.run_id not in going for run in runs)


def _delete_files_of_run(store: SqlStore, folder: Folder, failed: list[str]) -> bool:
    try:
        if store.get_run_info(folder.run_id).lifecycle_stage != LifecycleStage.DELETED:
            return False
    except NotFound:
        return False
    return _delete_files(folder, failed)


def _delete_files(folder: Folder, failed: list[str]) -> bool:
    if not folder.location:
        return True
    try:
        _place(folder.location).delete(folder.run_id)
    except NotFound:
        return True
    except FitbookError as error:
        failed.append(f"{folder.run_id}: {error}")
        return False
    return True


def _measure(location: str, run_id: str) -> tuple[int, int]:
    if not location:
        return 0, 0
    files = _place(location).find(run_id)
    return len(files), sum(file.file_size or 0 for file in files)


@cache
def _place(location: str) -> Artifacts:
    return open_artifacts(location)


# -- files of runs that nobody knows ---------------------------------------------------------------------------------


def _locations(experiments: Sequence[Experiment], own: Path | None) -> list[str]:
    """Name the places where experiments keep files; those that are gone may have left something in ours, too."""
    found = {experiment.artifact_location for experiment in experiments}
    if own is not None:
        found |= {(own / info.path).as_uri() for info in LocalArtifacts(own).list() if info.path.isdigit()}
    return sorted(found)


def _orphans(store: SqlStore, location: str, own: Path | None, *, delete: bool) -> Iterator[Orphan]:
    inside = [info.path for info in _place(location).list() if info.is_dir and _RUN_ID.fullmatch(info.path)]
    # What is listed first has its run already, if it is to have one.
    unknown = store.unknown_runs(inside)
    models = store.runs_of_models(unknown)
    is_own = own is not None and location.startswith(own.as_uri() + "/")
    for run_id in unknown:
        if run_id in models:
            why_not = f"the model version {models[run_id]} comes from it"
        elif not is_own:
            why_not = "another store may keep it there; delete it by hand if none does"
        elif _is_young(_place(location).local_path(run_id)):
            why_not = "it is younger than a day"
        else:
            why_not = "" if delete else "--orphans deletes it"
        yield Orphan(location, run_id, *_measure(location, run_id), why_not)


def _is_young(folder: Path) -> bool:
    try:
        newest = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:
        return True  # somebody changes it just now
    return newest > time.time() - _ORPHAN_AGE


def _own_root(uri: str) -> Path | None:
    """Where a tracking directory keeps files: nobody else's are there, which can't be said of other places."""
    folder = directory_of(uri)
    return None if folder is None else folder / "artifacts"


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
