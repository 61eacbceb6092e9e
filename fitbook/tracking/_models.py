"""Models: the one place where runs, flavors and the registry meet."""

from __future__ import annotations

import contextlib
import itertools
import json
import uuid
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from fitbook import _validate
from fitbook._log import FitbookWarning
from fitbook.artifacts import open_artifacts
from fitbook.entities import LoggedModel, ModelVersion
from fitbook.errors import AlreadyExists, InvalidValue, ModelError, NotFound
from fitbook.flavors import Snapshot, flavor_named, load_pyfunc, opened, render, trusting, with_code, write
from fitbook.models import Model, ModelSignature, describe_signature
from fitbook.registry import ModelIdUri, ModelUri, PathUri, RemoteUri, RunUri, VersionUri, parse
from fitbook.tracking import _active, _context
from fitbook.tracking._backend import Backend, current, current_experiment_id, readable
from fitbook.tracking._run import ActiveRun, RunHandle, new_draft, now_ms, start


@dataclass(frozen=True)
class ModelInfo:
    """What `log_model` made, or what `get_model_info` found."""

    artifact_path: str
    model_uri: str
    model_id: str | None
    run_id: str | None
    flavors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    signature: ModelSignature | None = None
    registered_model_version: int | None = None


@dataclass(frozen=True)
class PendingModel:
    """A model whose bytes are frozen and whose id is known, while its files may still be on their way."""

    run: RunHandle
    path: str
    model_id: str
    flavor: str
    snapshot: Snapshot
    created: int
    notes: tuple[str, ...] = ()

    def write(self) -> dict[str, bytes]:
        """Write the files, and note the model in the store; returns the files that were made here."""
        files = self._rendered()
        everything: dict[str, bytes | Path] = {**self.snapshot.source_files(), **files}
        self.run.writable.put_all({f"{self.path}/{name}": content for name, content in everything.items()})
        size = sum(map(len, files.values()))
        self.run.backend.store.record_model(
            LoggedModel(
                self.model_id, self.run.run_id, self.path, self.flavor, self.snapshot.sha256 or "", size, self.created
            )
        )
        _note_for_mlflow(self.run)
        return files

    def _rendered(self) -> dict[str, bytes]:
        where = {"run_id": self.run.run_id, "artifact_path": self.path, "model_id": self.model_id}
        try:
            return render(self.snapshot, **where)
        except ModelError as error:
            if self.snapshot.input_example is None:
                raise
            # An example that can't be written down must not cost the model.
            warnings.warn(f"The model {self.path!r} is kept without its input example: {error}", FitbookWarning, 2)
            return render(replace(self.snapshot, input_example=None), **where)

    def register(self, name: str, **options: Any) -> ModelVersion:
        """Make it a version of a registered model; the files may follow."""
        uri = f"runs:/{self.run.run_id}/{self.path}"
        return _new_version(self.run.backend, name, uri, self.run.run_id, self.model_id, **options)


# Paths of the models of each run of this process, whose files may still be on their way.
_claimed: WeakKeyDictionary[RunHandle, set[str]] = WeakKeyDictionary()

# A version may be the copy of another's; a chain longer than this is a circle.
_MAX_COPIES = 20

# Parameters of MLflow's log_model that steer what fitbook does not do: waiting, example inference, tracing.
_WITHOUT_EFFECT = frozenset({"await_registration_for", "example_no_conversion", "step"})


def freeze_model(
    run: RunHandle, flavor: str, model: Any, path: str, *, example: tuple[Any, Any] | None = None, **options: Any
) -> PendingModel:
    """Take the snapshot of a model for a run; writing its files is a second step, which can be done later.

    ``example`` is input, and output for some of it, from which the signature is inferred.
    """
    _validate.key("model", path)
    notes: tuple[str, ...] = ()
    if example is not None and example[0] is not None:
        signature, why = describe_signature(*example)
        options["signature"] = signature if signature is not None else False
        if why:
            notes = (f"signature: {why}",)
    snapshot = _snapshot(flavor, model, options)
    _claimed.setdefault(run, set()).add(path)
    return PendingModel(run, path, f"m-{uuid.uuid4().hex}", flavor, snapshot, now_ms(), notes)


def _snapshot(flavor: str, model: Any, options: dict[str, Any]) -> Snapshot:
    """Freeze a model together with what it is given by options that all flavors share."""
    options = {key: value for key, value in options.items() if key not in _WITHOUT_EFFECT}
    code_paths, infer = options.pop("code_paths", None), options.pop("infer_code_paths", False)
    frozen = options.pop("freeze_environment", False)
    snapshot = flavor_named(flavor).snapshot(model, **options)
    if code_paths or infer:
        snapshot = with_code(snapshot, code_paths or (), infer=infer)
    return replace(snapshot, freeze_environment=True) if frozen else snapshot


def _say_what_is_missing(snapshot: Snapshot) -> None:
    local = snapshot.requirements.local
    if local:
        warnings.warn(
            f"The model needs {', '.join(local)}, which no installable package provides, and will load only where that is "
            "importable. Give code_paths=[…] with the files, or infer_code_paths=True, to save them with it.",
            FitbookWarning,
            stacklevel=4,
        )


def log_model(
    flavor: str, model: Any, path: str, registered_model_name: str | None = None, **options: Any
) -> ModelInfo:
    """Save a model into the active run (one is begun if there is none), and register it if a name is given."""
    run = active_or_new_run()
    pending = freeze_model(run, flavor, model, _free(run, path), **options)
    _say_what_is_missing(pending.snapshot)
    pending.write()
    path = pending.path
    version = pending.register(registered_model_name) if registered_model_name else None
    return ModelInfo(
        artifact_path=path,
        model_uri=f"runs:/{pending.run.run_id}/{path}",
        model_id=pending.model_id,
        run_id=pending.run.run_id,
        flavors=pending.snapshot.flavors,
        signature=pending.snapshot.signature,
        registered_model_version=version.version if version else None,
    )


def save_model(flavor: str, model: Any, path: str | Path, **options: Any) -> None:
    """Save a model into a local folder, which must not exist yet or be empty."""
    snapshot = _snapshot(flavor, model, options)
    _say_what_is_missing(snapshot)
    write(snapshot, Path(path))


def log_flavored(
    flavor: str,
    model: Any,
    artifact_path: str | None = None,
    *,
    name: str | None = None,
    registered_model_name: str | None = None,
    **options: Any,
) -> ModelInfo:
    """Save a model of any flavor into the active run (one is begun if there is none): what ``log_model`` is made of.

    Parameters
    ----------
    flavor : str
        Its name, also of one that an installed distribution announces.
    model : object
    artifact_path, name : str, optional
        Where in the run; ``"model"`` if neither is given.
    registered_model_name : str, optional
        Make it a version of this registered model.
    **options
        The flavor's own.

    Raises
    ------
    NotFound
        There is no such flavor.
    ModelError
        The model can't be saved; says what is in the way.
    """
    path = model_path(artifact_path, name)
    return log_model(flavor, model, path, registered_model_name, **options)


def save_flavored(flavor: str, model: Any, path: str | Path, **options: Any) -> None:
    """Save a model of any flavor into a local folder, which must be new or empty; parameters as for `log_flavored`."""
    save_model(flavor, model, path, **options)


def load_model(
    model_uri: str | Path,
    flavor: str | None = None,
    *,
    trusted: Iterable[str] = (),
    suppress_warnings: bool = False,
    **more: Any,
) -> Any:
    """Load a model by URI: as the object of a flavor, or, without one, behind pyfunc's uniform ``predict``.

    ``trusted`` are names that its pickle may hold besides those that fitbook knows; see `fitbook.flavors.trusting`.
    """
    folder = local_folder(model_uri)
    with trusting(trusted):
        if flavor is None:
            return load_pyfunc(folder, suppress_warnings=suppress_warnings, **more)
        with opened(folder, check=not suppress_warnings) as described:
            config = described.flavors.get(flavor)
            if config is None:
                raise ModelError(
                    f"The model {str(model_uri)!r} has no flavor {flavor!r}; it has {', '.join(described.flavors)}. Load "
                    "it with the matching module, or with fitbook.pyfunc.load_model()."
                )
            return flavor_named(flavor).load(folder, config)


def model_path(artifact_path: str | None, name: str | None) -> str:
    """Choose between MLflow 2's and 3's name for a model's place in its run."""
    if artifact_path is not None and name is not None and artifact_path != name:
        raise InvalidValue(f"Both artifact_path={artifact_path!r} and name={name!r} are given; they mean the same.")
    return artifact_path or name or "model"


def get_model_info(model_uri: str | Path) -> ModelInfo:
    """Read what is written about a model, without loading it."""
    described = Model.load(local_folder(model_uri))
    return ModelInfo(
        artifact_path=described.artifact_path or "",
        model_uri=str(model_uri),
        model_id=described.model_id,
        run_id=described.run_id,
        flavors=described.flavors,
        signature=described.signature,
    )


def register_model(
    model_uri: str,
    name: str,
    await_registration_for: int | None = None,
    *,
    tags: Mapping[str, Any] | None = None,
    description: str = "",
) -> ModelVersion:
    """Make a logged model a new version of a registered model.

    Parameters
    ----------
    model_uri : str
        ``runs:/<run_id>/<path>``, ``models:/<model_id>``, or another URI of a model that exists.
    name : str
        The registered model; it is made if there is none.
    await_registration_for : int, optional
        MLflow's; a version is ready when this returns.
    tags : mapping, optional
        Tags of the version.
    description : str, optional
        Of the version.

    Raises
    ------
    NotFound
        There is no model at ``model_uri``.
    InvalidValue
        The URI or the name breaks a rule.
    """
    backend = readable()
    place = _place(backend, _parsed(model_uri))
    folder = _folder(backend, place)
    if not (folder / "MLmodel").is_file():
        raise NotFound("model", str(model_uri), hint="The folder holds no MLmodel file.")
    described = Model.load(folder)
    run_id = place.run_id if isinstance(place, RunUri) else described.run_id
    return _new_version(backend, name, str(place), run_id or "", described.model_id, tags=tags, description=description)


def local_folder(model_uri: str | Path) -> Path:
    """Give the local folder of a model, by any kind of model URI."""
    uri = _parsed(model_uri)
    if isinstance(uri, (PathUri, RemoteUri)):
        return _folder(None, uri)
    backend = readable()
    return _folder(backend, _place(backend, uri))


def _parsed(model_uri: str | Path) -> ModelUri:
    if isinstance(model_uri, str) and model_uri.startswith(("runs:", "models:")):
        model_uri = model_uri.rstrip("/")  # as shells complete folders
    return parse(model_uri)


def _place(backend: Backend, uri: ModelUri, through: int = 0) -> RunUri | PathUri | RemoteUri:
    """Tell where a model URI leads now; what ``latest``, stages and aliases mean changes later, this does not."""
    if isinstance(uri, (PathUri, RemoteUri)):
        return uri
    if isinstance(uri, RunUri):
        # What a version was made of is exactly what its source says.
        return uri if through else _newest(backend, uri.run_id or _latest_run(backend, uri.path), uri.path)
    if isinstance(uri, ModelIdUri):
        logged = backend.store.get_logged_model(uri.model_id)
        return RunUri(logged.run_id, logged.artifact_path)
    if through > _MAX_COPIES:
        raise ModelError(f"The source of {uri} is a model version again and again; register it from its run.")
    version = backend.registry.resolve(uri)
    source = parse(version.source)
    if isinstance(source, VersionUri) and version.model_id:
        with contextlib.suppress(NotFound):  # what was imported may have come without its run
            return _place(backend, ModelIdUri(version.model_id))  # a copy outlives the version that it was made of
    return _place(backend, source, through + 1)


def _folder(backend: Backend | None, place: RunUri | PathUri | RemoteUri) -> Path:
    if isinstance(place, PathUri):
        return place.path
    if isinstance(place, RemoteUri):
        return open_artifacts(place.location).local_path()
    assert backend is not None
    return RunHandle(backend, str(place.run_id)).artifacts.local_path(place.path)


def _free(run: RunHandle, path: str) -> str:
    """Give the path, or, if the run has a model there, one beside it: a model that was logged stays what it is."""
    taken = _claimed.get(run, set()).union(m.artifact_path for m in run.backend.store.list_logged_models(run.run_id))
    return next(
        free for free in itertools.chain([path], (f"{path}--{n}" for n in itertools.count(2))) if free not in taken
    )


def _newest(backend: Backend, run_id: str, path: str) -> RunUri:
    """Give the last model that a run logged as a path."""
    last = 1
    for model in backend.store.list_logged_models(run_id):
        base, _, number = model.artifact_path.rpartition("--")
        if base == path and number.isdigit():
            last = max(last, int(number))
    return RunUri(run_id, path if last == 1 else f"{path}--{last}")


def active_or_new_run() -> ActiveRun:
    """Give the active run; begins one if there is none, as MLflow does."""
    return _active.innermost() or start(current(), new_draft(current_experiment_id()))


def _latest_run(backend: Backend, path: str) -> str:
    mine = _active.last_run_id()
    if mine is not None and any(m.artifact_path == path for m in backend.store.list_logged_models(mine)):
        return mine
    newest = backend.store.latest_logged_model(path)
    if newest is None:
        raise NotFound("model", f"runs:/latest/{path}", hint=f"No run in {backend.uri} has logged a model as {path!r}.")
    return newest.run_id


def _new_version(
    backend: Backend,
    name: str,
    source: str,
    run_id: str,
    model_id: str | None,
    tags: Mapping[str, Any] | None = None,
    description: str = "",
) -> ModelVersion:
    try:
        backend.registry.get_registered_model(name)
    except NotFound:
        with contextlib.suppress(AlreadyExists):  # another process was faster
            backend.registry.create_registered_model(name)
    return backend.registry.create_model_version(
        name,
        source,
        run_id=run_id,
        model_id=model_id,
        tags={key: str(value) for key, value in (tags or {}).items()},
        description=description,
    )


def _note_for_mlflow(run: RunHandle) -> None:
    # MLflow's clients and UI find a run's models in this tag.
    store = run.backend.store
    notes = [
        {
            "run_id": run.run_id,
            "artifact_path": logged.artifact_path,
            "model_uuid": logged.model_id,
            "utc_time_created": _iso(logged.creation_timestamp),
            "flavors": {logged.flavor: {}, "python_function": {}},
        }
        for logged in store.list_logged_models(run.run_id)
    ]
    store.log_batch(run.run_id, tags={_context.LOGGED_MODELS: json.dumps(notes)})


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
