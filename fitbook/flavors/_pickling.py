"""From an object to a pickle, and, where there is no way, to the attribute that is in the way."""

from __future__ import annotations

import io
import pickle
from typing import Any

from fitbook.errors import InvalidValue, ModelError

FORMATS = ("pickle", "cloudpickle")
_DEPTH = 6
# Pickle ends a frame after 64 KB, and with what goes into it last.
_LONGEST_FRAME = 192 * 1024


def dumps(model: object, serialization_format: str | None = None) -> tuple[bytes, str]:
    """Pickle a model.

    Parameters
    ----------
    model : object
    serialization_format : {"pickle", "cloudpickle"}, optional
        By default plain pickle, which is faster, and cloudpickle where the model contains functions or classes that
        another process could not import: those of a script or notebook.

    Returns
    -------
    data : bytes
    serialization_format : str
        Which one it became.

    Raises
    ------
    ModelError
        Neither can pickle it; names the attribute and its type.
    InvalidValue
        An unknown format.
    """
    if serialization_format not in (None, *FORMATS):
        raise InvalidValue(f"The serialization_format {serialization_format!r} is unknown; use one of {FORMATS}.")
    # A class of a script's is known at once, so that its own ``__getstate__`` is asked no more than once.
    of_main = serialization_format is None and type(model).__module__ == "__main__"
    if serialization_format != "cloudpickle" and not of_main:
        try:
            sink = _Sink()
            pickle.dump(model, sink, protocol=5)
            if serialization_format == "pickle" or not sink.names_main:
                return sink.getvalue(), "pickle"
        except Exception as error:
            if serialization_format == "pickle":
                raise _unpicklable(model, error, "Leave out serialization_format to let cloudpickle try.") from error
    try:
        return _cloudpickle(model), "cloudpickle"
    except Exception as error:
        hint = "Make the attribute None before saving, or leave it out in a __getstate__ method."
        raise _unpicklable(model, error, hint) from error


class _Sink(io.BytesIO):
    """Takes a pickle, and looks for names of ``__main__`` in it.

    Plain pickle writes a script's own classes by name only, and another process has another ``__main__``. Names come in
    frames; what is longer than one is an array's contents, and searching these would take as long as copying them.
    """

    names_main = False

    def write(self, part: Any) -> int:
        if len(part) < _LONGEST_FRAME and b"\x8c\x08__main__\x94" in part:
            self.names_main = True
        return super().write(part)


def _cloudpickle(value: object) -> bytes:
    import cloudpickle  # noqa: PLC0415

    buffer = io.BytesIO()
    cloudpickle.dump(value, buffer, protocol=5)
    return buffer.getvalue()


def _unpicklable(model: object, error: Exception, hint: str) -> ModelError:
    path, culprit = culprit_of(model)
    where = f"its attribute {path}, a {_type_name(culprit)}, can't be pickled" if path else "it can't be pickled"
    return ModelError(f"The model, a {_type_name(model)}, can't be saved: {where} ({error}). {hint}")


def culprit_of(value: object, path: str = "", depth: int = _DEPTH) -> tuple[str, object]:
    """Find the innermost part of an object that can't be pickled.

    Parameters
    ----------
    value : object
        What can't be pickled.

    Returns
    -------
    path : str
        How to get there, e.g. ``"steps[1].func"``; empty for the object itself.
    part : object
    """
    for step, part in _parts(value) if depth else ():
        try:
            _cloudpickle(part)
        except Exception:
            return culprit_of(part, f"{path}{step}".removeprefix("."), depth - 1)
    return path, value


def _parts(value: Any) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [(f"[{key!r}]", part) for key, part in value.items()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [(f"[{i}]", part) for i, part in enumerate(value)]
    try:
        return [(f".{name}", part) for name, part in vars(value).items()]
    except TypeError:
        return []


def _type_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
