"""The file ``MLmodel``: what a saved model's folder says about itself."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fitbook._version import __version__
from fitbook.errors import ModelError, NotFound
from fitbook.models._example import read_example
from fitbook.models._form import PARTS, check_form
from fitbook.models._schema import Schema
from fitbook.models._signature import ModelSignature

MLMODEL = "MLmodel"

MLFLOW_FORMAT = "3.1.0"
"""The MLflow release whose file format is written. Its readers parse this as a version, and warn where it is absent."""

_MAX_BYTES, _MAX_NODES, _MAX_DEPTH = 50_000_000, 1_000_000, 100

_FROM_HINTS = "is_signature_from_type_hint"

_OPTIONAL = ("run_id", "artifact_path", "metadata", "saved_input_example_info", "model_size_bytes")


class Model:
    """What a saved model says about itself.

    Parameters
    ----------
    artifact_path : str, optional
        Where it lies below its run's artifacts.
    run_id : str, optional
        The run that made it.
    utc_time_created : str, optional
        Now, if not given.
    flavors : dict of str to dict, optional
        For each way to load the model its name and settings.
    signature : ModelSignature, optional
    saved_input_example_info : dict, optional
        Where and how the input example is kept.
    model_uuid : str, optional
        A new one, if not given.
    metadata : dict, optional
        The user's own.
    model_size_bytes : int, optional
        The size of all files but this one.
    mlflow_version, fitbook_version : str, optional
        Whose format it is, and what wrote it.
    model_id : str, optional
    **extra
        Whatever else the file says; kept and written back.
    """

    def __init__(
        self,
        artifact_path: str | None = None,
        run_id: str | None = None,
        utc_time_created: str | datetime | None = None,
        flavors: dict[str, dict[str, Any]] | None = None,
        signature: ModelSignature | None = None,
        saved_input_example_info: dict[str, Any] | None = None,
        model_uuid: str | None = None,
        metadata: dict[str, Any] | None = None,
        model_size_bytes: int | None = None,
        mlflow_version: str | None = MLFLOW_FORMAT,
        fitbook_version: str | None = __version__,
        model_id: str | None = None,
        **extra: Any,
    ) -> None:
        self.artifact_path = artifact_path
        self.run_id = run_id
        self.utc_time_created = str(utc_time_created or datetime.now(UTC).replace(tzinfo=None))
        self.flavors = flavors if flavors is not None else {}
        self.signature = signature
        self.saved_input_example_info = saved_input_example_info
        self.model_uuid = model_uuid or uuid.uuid4().hex
        self.metadata = metadata
        self.model_size_bytes = model_size_bytes
        self.mlflow_version = mlflow_version
        self.fitbook_version = fitbook_version
        self.model_id = model_id
        self.extra = extra

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Model {self.model_uuid}: {', '.join(self.flavors) or 'no flavors'}>"

    def check_readable(self) -> None:
        """Raise `ModelError` if a version of fitbook or MLflow has written it whose format may be another."""
        newest = {"fitbook": (self.fitbook_version, __version__, 2), "MLflow": (self.mlflow_version, MLFLOW_FORMAT, 1)}
        for writer, (version, known, parts) in newest.items():
            if version is not None and _numbers(version)[:parts] > _numbers(known)[:parts]:
                raise ModelError(
                    f"The model was written by {writer} {version}, which is newer than this version of fitbook can read "
                    f"({known}): upgrade fitbook to load it."
                )

    def get_input_schema(self) -> Schema | None:
        """The schema of the input, where there is one."""
        return None if self.signature is None else self.signature.inputs

    def get_output_schema(self) -> Schema | None:
        """The schema of the output, where there is one."""
        return None if self.signature is None else self.signature.outputs

    def load_input_example(self, path: str | Path) -> Any:
        """Read the input example from the model's folder; None where there is none."""
        info = self.saved_input_example_info
        return None if info is None else read_example(Path(path), info, self.get_input_schema())

    def to_dict(self) -> dict[str, Any]:
        """The content of the file."""
        content = {
            **self.extra,
            "flavors": self.flavors,
            "model_id": self.model_id,
            "model_uuid": self.model_uuid,
            "utc_time_created": self.utc_time_created,
        }
        if self.mlflow_version is not None:
            content["mlflow_version"] = self.mlflow_version
        if self.fitbook_version is not None:
            content["fitbook_version"] = self.fitbook_version
        for name in _OPTIONAL:
            value = getattr(self, name)
            if value is not None:
                content[name] = value
        if self.signature is not None:
            content["signature"] = self.signature.to_dict()
            if self.signature.from_type_hints:
                content[_FROM_HINTS] = True
        return content

    def to_yaml(self) -> str:
        """The text of the file."""
        return to_yaml(self.to_dict())

    def save(self, path: str | Path) -> None:
        """Write the file."""
        Path(path).write_text(self.to_yaml(), encoding="utf-8")

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Model:
        """Build it from the content of a file; whatever is not known is kept.

        Raises
        ------
        ModelError
            The content has not the form of an MLmodel file.
        """
        check_form(content)
        content = {"mlflow_version": None, "fitbook_version": None, **content}
        signature = content.pop("signature", None) or {}
        from_hints = content.pop(_FROM_HINTS, False) is True
        if any(signature.values()):
            content["signature"] = replace(ModelSignature.from_dict(signature), from_type_hints=from_hints)
        model = cls(**{name: content.pop(name) for name in PARTS if name in content})
        model.extra = content
        return model

    @classmethod
    def from_yaml(cls, text: str | bytes) -> Model:
        """Read the text of a file.

        Raises
        ------
        ModelError
            The text is not that of an MLmodel file.
        """
        import yaml  # noqa: PLC0415

        if len(text) > _MAX_BYTES:
            raise ModelError(f"The MLmodel file has {len(text)} bytes, which is more than any model's; it is damaged.")
        kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        content = None
        try:
            _check_depth(yaml.parse(text, Loader=kind))
            loader = kind(text)
            node = loader.get_single_node()
            if node is not None:
                _count(node, {})
                content = loader.construct_document(node)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise ModelError(f"The MLmodel file is not plain YAML: {error}") from error
        if not isinstance(content, dict):
            raise ModelError("The MLmodel file is empty or no table; it is no model's, or damaged.")
        return cls.from_dict(content)

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Read a file, or the one in a model's folder.

        Raises
        ------
        NotFound
            There is none.
        ModelError
            It is damaged.
        """
        file = Path(path)
        if file.name != MLMODEL:
            file = file / MLMODEL
        try:
            return cls.from_yaml(file.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound("model", str(path), hint="The folder of a model contains a file 'MLmodel'.") from None
        except OSError as error:
            raise ModelError(f"The file {file} can't be read: {error.strerror}.") from error


def _check_depth(events: Iterable[Any]) -> None:
    # The C library builds what is nested by recursion, and ends the process when the stack does.
    from yaml.events import CollectionEndEvent, CollectionStartEvent  # noqa: PLC0415

    depth = 0
    for event in events:
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ModelError(f"The MLmodel file is nested deeper than {_MAX_DEPTH} levels; no model's is.")


def _count(node: Any, known: dict[int, int]) -> int:
    """Count the nodes of YAML with all aliases written out; raises `ModelError` for a bomb."""
    if id(node) in known:
        if not known[id(node)]:
            raise ModelError("The MLmodel file contains itself by an alias; no model's does.")
        return known[id(node)]
    known[id(node)] = 0
    _check_keys(node)
    inner = node.value if isinstance(getattr(node, "value", None), list) else []
    parts = (part for item in inner for part in (item if isinstance(item, tuple) else (item,)))
    known[id(node)] = count = 1 + sum(_count(part, known) for part in parts)
    if count > _MAX_NODES:
        raise ModelError(
            f"The MLmodel file has more than {_MAX_NODES} values with its aliases written out; it is a bomb."
        )
    return count


def _check_keys(node: Any) -> None:
    # YAML's reader takes the last of two values, another program's the first: what a model is may not depend on who reads.
    keys = [key.value for key, _ in node.value if isinstance(key.value, str)] if node.id == "mapping" else []
    if len(keys) > len(set(keys)):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ModelError(f"The MLmodel file is damaged: it says {twice!r} twice.")


def _numbers(version: object) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", str(version))[:3])


def to_yaml(content: Any) -> str:
    """Plain data as YAML, by the C library where it is there: it is ten times faster."""
    import yaml  # noqa: PLC0415

    text: str = yaml.dump(
        content, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), default_flow_style=False, allow_unicode=True
    )
    return text
