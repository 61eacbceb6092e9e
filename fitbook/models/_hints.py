"""Signatures from the type hints of ``predict``, by MLflow's rules: the input is a list of instances."""

from __future__ import annotations

import datetime
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from fitbook.models._infer import Undescribable, is_frame, is_series
from fitbook.models._schema import ColSpec, ColumnType, DataType, Schema, array_of, map_of, object_of

_SCALARS: dict[Any, DataType] = {
    bool: DataType.boolean,
    int: DataType.long,
    float: DataType.double,
    str: DataType.string,
    bytes: DataType.binary,
    datetime.datetime: DataType.datetime,
    Any: DataType.any,
}


def hints_of(predict: Callable[..., Any], position: int) -> tuple[Any, Any]:
    """Give the annotations of a function's parameter at a position, and of its result; None for what has none.

    Annotations that name what is not there any more are none.
    """
    try:
        hints = typing.get_type_hints(predict)
    except Exception:  # they are text that may name anything
        return None, None
    names = list(inspect.signature(predict).parameters)
    return hints.get(names[position]) if position < len(names) else None, hints.get("return")


def is_list_hint(hint: Any) -> bool:
    """Whether it is a list of something: what MLflow infers a signature from."""
    return hint is list or typing.get_origin(hint) is list


def schema_of_hint(hint: Any) -> Schema:
    """Describe what a list of the hinted instances is.

    Raises
    ------
    Undescribable
        The hint is no list of instances with a type.
    """
    if not is_list_hint(hint) or not typing.get_args(hint):
        raise Undescribable(f"the type hint {_show(hint)} is no list of instances with a type, such as list[str]")
    return Schema([ColSpec(_type_of(typing.get_args(hint)[0]))])


def as_list(data: Any) -> Any:
    """Turn a table or array into the list of its rows; a table of one column into that of its values."""
    if is_frame(data):
        return data.iloc[:, 0].tolist() if data.shape[1] == 1 else data.to_dict("records")
    if is_series(data) or (hasattr(data, "tolist") and getattr(data, "ndim", 0) > 0):
        return data.tolist()
    return data


def instances(data: Any, hint: Any) -> Any:
    """Turn a prediction's input into the list that the hint promises; pydantic models are built from dicts."""
    data = as_list(data)
    kind = (*typing.get_args(hint), None)[0]
    if _is_pydantic(kind) and isinstance(data, list):
        return [item if isinstance(item, kind) else kind.model_validate(item) for item in data]
    return data


def _type_of(hint: Any) -> ColumnType:
    if hint in _SCALARS:
        return _SCALARS[hint]
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin is list and arguments:
        return array_of(_type_of(arguments[0]))
    if origin is dict and len(arguments) == 2 and arguments[0] is str:
        return map_of(_type_of(arguments[1]))
    if origin in (typing.Union, types.UnionType):
        if type(None) not in arguments:
            return DataType.any
        raise Undescribable(f"the type hint {_show(hint)} may be None, which only a field of a pydantic model can be")
    if _is_pydantic(hint):
        return object_of({name: _field(field) for name, field in hint.model_fields.items()})
    raise Undescribable(f"the type hint {_show(hint)} has no column type")


def _field(field: Any) -> tuple[ColumnType, bool]:
    """The type of a pydantic model's field, and whether it must be given."""
    hint = field.annotation
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in arguments:
        kinds = [kind for kind in arguments if kind is not type(None)]
        return (_type_of(kinds[0]) if len(kinds) == 1 else DataType.any), False
    return _type_of(hint), field.is_required()


def _is_pydantic(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "model_fields") and hasattr(kind, "model_validate")


def _show(hint: Any) -> str:
    return repr(hint) if typing.get_origin(hint) else getattr(hint, "__name__", repr(hint))
