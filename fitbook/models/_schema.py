"""What a model's input, output or parameters look like: MLflow's column and tensor specifications and their JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fitbook.errors import ModelError


class DataType(StrEnum):
    """The scalar types of a column."""

    boolean = "boolean"
    integer = "integer"
    long = "long"
    float = "float"
    double = "double"
    string = "string"
    binary = "binary"
    datetime = "datetime"
    any = "any"


NUMPY_NAME = {
    DataType.boolean: "bool",
    DataType.integer: "int32",
    DataType.long: "int64",
    DataType.float: "float32",
    DataType.double: "float64",
}
"""The numpy dtype behind each type of number."""


def array_of(items: ColumnType) -> dict[str, Any]:
    """The type of a column whose cells are lists of ``items``."""
    return {"type": "array", "items": _type_to_dict(items)}


def object_of(properties: dict[str, tuple[ColumnType, bool]]) -> dict[str, Any]:
    """The type of a column whose cells are dicts; every property has a type and whether it is required."""
    return {
        "type": "object",
        "properties": {k: {**_type_to_dict(t), "required": needed} for k, (t, needed) in properties.items()},
    }


def map_of(values: ColumnType) -> dict[str, Any]:
    """The type of a column whose cells are dicts with whatever keys, and values of one type."""
    return {"type": "map", "values": _type_to_dict(values)}


# Nested types stay in MLflow's JSON form: whatever it may add to it survives being read and written here.
ColumnType = DataType | dict[str, Any]


def _type_to_dict(kind: ColumnType) -> dict[str, Any]:
    return {"type": str(kind)} if isinstance(kind, DataType) else kind


def _type_from_dict(spec: dict[str, Any]) -> ColumnType:
    name = spec["type"]
    if name in DataType.__members__:
        return DataType(name)
    if name not in ("array", "object", "map"):
        raise ValueError(f"no type {name!r}")
    return {k: v for k, v in spec.items() if k not in ("name", "required", "default", "shape")}


def _dtype_name(dtype: object) -> str:
    """numpy's name of a dtype, without the length of strings."""
    if not isinstance(dtype, str):
        if not hasattr(dtype, "kind"):
            import numpy as np  # noqa: PLC0415

            dtype = np.dtype(dtype)  # type: ignore[call-overload]
        dtype = {"U": "str", "S": "bytes"}.get(dtype.kind, dtype.name)  # type: ignore[attr-defined]
    return str(dtype)


@dataclass(frozen=True)
class ColSpec:
    """One column.

    Parameters
    ----------
    type : DataType, str or dict
        A scalar type, or the JSON form of an array, object or map.
    name : str, int or tuple, optional
        The column's name; columns have names all or none.
    required : bool, default True
        Whether the column may not be left out. False where the data it was inferred from had missing values.
    """

    type: ColumnType
    name: Any = None
    required: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.name, list):  # the name of a pandas MultiIndex column, after JSON
            object.__setattr__(self, "name", tuple(self.name))
        if isinstance(self.type, str):
            if self.type not in DataType.__members__:
                raise ModelError(f"{self.type!r} is no column type; there is: {', '.join(DataType)}.")
            object.__setattr__(self, "type", DataType(self.type))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        named = {} if self.name is None else {"name": self.name}
        return {**_type_to_dict(self.type), **named, "required": self.required}

    def __str__(self) -> str:
        text = self.type if isinstance(self.type, str) else json.dumps(self.type)
        named = "" if self.name is None else f"{self.name}: "
        return f"{named}{text}{'' if self.required else ' (optional)'}"


@dataclass(frozen=True)
class TensorSpec:
    """One array.

    Parameters
    ----------
    type : numpy.dtype or str
        The dtype; kept by name, so that reading a signature needs no numpy.
    shape : sequence of int
        -1 stands for any length.
    name : str, optional
        For models that take a dict of arrays.
    """

    type: Any
    shape: tuple[int, ...]
    name: Any = None

    required = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", _dtype_name(self.type))
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        named = {} if self.name is None else {"name": self.name}
        return {**named, "type": "tensor", "tensor-spec": {"dtype": self.type, "shape": list(self.shape)}}

    def __str__(self) -> str:
        return f"{'' if self.name is None else self.name + ': '}{self.type} array of shape {self.shape}"


@dataclass(frozen=True)
class Schema:
    """The columns of a table, or one or several arrays.

    Parameters
    ----------
    inputs : list of ColSpec or list of TensorSpec
        In order. Either all have different names or none has one.

    Raises
    ------
    ModelError
        Columns and tensors are mixed, or only some are named, or two have the same name.
    """

    inputs: list[ColSpec] | list[TensorSpec]
    _names: list[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        specs: list[Any] = list(self.inputs)
        names = [spec.name for spec in specs if spec.name is not None]
        if not specs or len({type(spec) for spec in specs}) != 1:
            raise ModelError("A schema is a list of ColSpec or a list of TensorSpec, not empty and not mixed.")
        if len(names) not in (0, len(specs)) or len(set(names)) != len(names):
            raise ModelError("Either all columns of a schema have a name, each its own, or none has one.")
        object.__setattr__(self, "inputs", specs)
        object.__setattr__(self, "_names", names)

    def __iter__(self) -> Iterator[ColSpec | TensorSpec]:
        return iter(self.inputs)

    def __len__(self) -> int:
        return len(self.inputs)

    def is_tensor_spec(self) -> bool:
        """Whether it describes arrays and not columns."""
        return isinstance(self.inputs[0], TensorSpec)

    def has_input_names(self) -> bool:
        """Whether the columns or arrays have names."""
        return bool(self._names)

    def input_names(self) -> list[Any]:
        """The names, or the positions where there are none."""
        return self._names or list(range(len(self.inputs)))

    def required_input_names(self) -> list[Any]:
        """Names of the columns that may not be left out."""
        return [name for name, spec in self.input_dict().items() if spec.required]

    def input_types(self) -> list[Any]:
        """The type of every column, or the dtype name of every array."""
        return [spec.type for spec in self.inputs]

    def input_dict(self) -> dict[Any, ColSpec | TensorSpec]:
        """Specifications by name."""
        return dict(zip(self.input_names(), self.inputs, strict=True))

    def to_dict(self) -> list[dict[str, Any]]:
        """The JSON form."""
        return [spec.to_dict() for spec in self.inputs]

    def to_json(self) -> str:
        """The JSON text, as MLflow writes it."""
        return json.dumps(self.to_dict())

    def to_portable_json(self) -> str:
        """The JSON text for an MLmodel file: readers take a plain column for required, and MLflow 2.8 can't be told."""
        specs = self.to_dict()
        for spec in specs:
            if spec["type"] in NUMPY_NAME.keys() | {"string", "binary", "datetime"} and spec["required"]:
                del spec["required"]
        return json.dumps(specs)

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """Read what `to_json` wrote.

        Raises
        ------
        ModelError
            The text is not the JSON of a schema.
        """
        with _reading("schema", text):
            specs = json.loads(text)
            if any(spec["type"] == "tensor" for spec in specs):
                tensors = ((spec["tensor-spec"], spec.get("name")) for spec in specs)
                return cls([TensorSpec(tensor["dtype"], tensor["shape"], name) for tensor, name in tensors])
            return cls([ColSpec(_type_from_dict(s), s.get("name"), s.get("required", True)) for s in specs])

    def __str__(self) -> str:
        return ", ".join(map(str, self.inputs))


@dataclass(frozen=True)
class ParamSpec:
    """One parameter of ``predict``: a scalar, a list (``shape == (-1,)``) or a dict, with the default value."""

    name: str
    type: ColumnType
    default: Any
    shape: tuple[int, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        default = self.default.isoformat() if hasattr(self.default, "isoformat") else self.default
        shape = None if self.shape is None else list(self.shape)
        return {"name": self.name, "default": default, "shape": shape, **_type_to_dict(self.type)}


@dataclass(frozen=True)
class ParamSchema:
    """The parameters of ``predict``, with their defaults."""

    params: list[ParamSpec]

    def __iter__(self) -> Iterator[ParamSpec]:
        return iter(self.params)

    def to_json(self) -> str:
        """The JSON text, as MLflow writes it."""
        return json.dumps([param.to_dict() for param in self.params])

    @classmethod
    def from_json(cls, text: str) -> ParamSchema:
        """Read what `to_json` wrote.

        Raises
        ------
        ModelError
            The text is not the JSON of a parameter schema.
        """
        with _reading("parameter schema", text):
            specs: Iterable[dict[str, Any]] = json.loads(text)
            return cls([ParamSpec(s["name"], _type_from_dict(s), s["default"], _shape(s.get("shape"))) for s in specs])


def _shape(shape: list[int] | None) -> tuple[int, ...] | None:
    return None if shape is None else tuple(shape)


@contextmanager
def _reading(what: str, text: str) -> Iterator[None]:
    """Turn whatever malformed JSON brings about into one clear error."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"This is not the JSON of a {what}: {text[:200]!r} ({error!r}).") from error
