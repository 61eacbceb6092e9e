"""An estimator's parameters as text: exact, bounded, free of memory addresses and secrets."""

from __future__ import annotations

import functools
import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType
from typing import Any

from fitbook import _validate
from fitbook.autolog.sklearn._fingerprint import digest_of
from fitbook.autolog.sklearn._known import is_harmless

MAX_TEXT = 100_000
MASK = "********"
_SECRET_WORDS = r"passw(?:or)?d|passphrase|secret|credential|(?:api|access|private)[_-]?key|token(?!_pattern|iz|s)"
_SECRET = re.compile(_SECRET_WORDS, re.IGNORECASE)
# In the text of an object that shows its parts, and in the address of a service.
_VALUE = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,;()\[\]{}'"&]+"""
_SECRET_PART = re.compile(rf"(\w{{0,40}}(?:{_SECRET_WORDS})\w{{0,40}}['\"]?\s?[=:]\s?)({_VALUE})", re.IGNORECASE)
_SECRET_IN_URI = re.compile(r"(://[^/?#\s:@]*:)[^/?#\s@]+(?=@)")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_MAX_ITEMS = 1_000
_MAX_INLINE_ARRAY = 20


def params(estimator: Any, *, deep: bool = True) -> dict[str, str]:
    """The parameters of an estimator as text.

    Parameters
    ----------
    estimator : estimator
        Anything with ``get_params``; what it returns is not trusted.
    deep : bool
        Include the parameters of nested estimators as ``step__name``.

    Returns
    -------
    dict of str to str
        Strings as they are, other scalars as their ``repr``, nested estimators as their class names, functions as
        qualified names, arrays of more than 20 elements as shape, type and digest, and values under a key that names
        a password, secret, token or API key as ``********``. A ``get_params`` that fails leaves one entry
        ``get_params`` which says so.
    """
    try:
        found = estimator.get_params(deep=deep)
        items = list(found.items()) if isinstance(found, Mapping) else None
    except Exception as error:
        return {"get_params": f"<unreadable: {type(error).__name__}>"}
    if items is None:
        return {"get_params": f"<unreadable: returned {type(found).__name__}>"}
    return {key: _bounded(shown(key, value)) for key, value in _with_text_keys(items)}


def shown(key: str, value: Any) -> str:
    """The value of a parameter as text, unless it is a secret."""
    return MASK if is_secret(key, value) else text(value)


def is_secret(key: str, value: object) -> bool:
    """Whether a parameter's name says that its value is nobody's business (its own part of ``step__name`` counts)."""
    return value is not None and not isinstance(value, bool) and bool(_SECRET.search(key.rpartition("__")[2]))


def text(value: Any) -> str:
    """One value as text; a string is itself, but for what no store holds, and for passwords in addresses."""
    told = _without_passwords(str.__str__(value)) if isinstance(value, str) else _show(value, frozenset())
    return _validate.safe_text(told)


def text_of_argument(value: Any) -> str:
    """The argument of a function as text; of what no known library has made, nothing is called: it is its class's name."""
    return _bounded(text(_tamed(value, 0)))


def class_name(value: object) -> str:
    """Name of an object's class with its module."""
    cls = type(value)
    return f"{cls.__module__}.{cls.__qualname__}"


@dataclass(frozen=True, slots=True)
class _Named:
    """Shown as it is named."""

    name: str

    def __repr__(self) -> str:
        return self.name


def _tamed(value: Any, depth: int) -> Any:
    """The same with the name of its class in place of each stranger."""
    cls = type(value)
    if depth > 5:
        return _Named("...")
    if cls in (list, tuple) and len(value) <= _MAX_ITEMS:
        return cls(_tamed(v, depth + 1) for v in value)
    if cls is dict and len(value) <= _MAX_ITEMS:
        return {key: _tamed(v, depth + 1) for key, v in value.items()}
    if cls is functools.partial:
        return _Named(f"functools.partial({text(value.func)})")
    scorer = getattr(value, "__dict__", {}).get("_score_func") if cls.__module__.startswith("sklearn.") else None
    if scorer is not None:
        given = "".join(f", {k}={text(_tamed(v, depth + 1))}" for k, v in vars(value).get("_kwargs", {}).items())
        return _Named(f"make_scorer({text(scorer)}{given})")
    plain = isinstance(value, type) or cls in (FunctionType, BuiltinFunctionType, MethodType)
    return value if plain or is_harmless(cls) else _Named(cls.__qualname__)


def _with_text_keys(items: Iterable[tuple[Any, Any]]) -> Iterable[tuple[str, Any]]:
    return ((key if isinstance(key, str) else _show(key, frozenset()), value) for key, value in items)


def _bounded(value: str) -> str:
    if len(value) <= MAX_TEXT:
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{value[:MAX_TEXT]}… [{len(value):,} characters, sha256 {digest}]"


def _show(value: Any, inside: frozenset[int]) -> str:
    try:
        return _shown(value, inside)
    except Exception:
        return f"<unprintable {type(value).__name__}>"


def _shown(value: Any, inside: frozenset[int]) -> str:
    cls = type(value)
    if cls is str:
        return _without_passwords(repr(value))
    if value is None or cls in (bool, int, float, complex, bytes):
        return repr(value)
    if id(value) in inside or len(inside) > 20:
        return "..."
    inside |= {id(value)}
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}".removeprefix("builtins.")
    if cls in (FunctionType, BuiltinFunctionType, MethodType):
        return f"{value.__module__ or 'builtins'}.{value.__qualname__}".removeprefix("builtins.")
    if cls is functools.partial:
        parts = [_show(value.func, inside), *(_show(v, inside) for v in value.args)]
        parts += [f"{k}={MASK if is_secret(k, v) else _show(v, inside)}" for k, v in value.keywords.items()]
        return f"functools.partial({', '.join(parts)})"
    if cls in (list, tuple, set, frozenset, MappingProxyType) or isinstance(value, dict):
        return _container(value, inside)
    if hasattr(cls, "get_params") and hasattr(cls, "fit"):
        return cls.__name__
    if hasattr(cls, "shape") and hasattr(cls, "dtype") or cls.__name__ == "DataFrame":
        return _array(value, inside)
    if hasattr(value, "dist") and hasattr(value, "kwds"):  # a frozen scipy distribution, as in a randomised search
        parts = [_show(v, inside) for v in value.args] + [f"{k}={_show(v, inside)}" for k, v in value.kwds.items()]
        return f"{value.dist.name}({', '.join(parts)})"
    if cls.__module__.startswith("sklearn.model_selection.") and hasattr(cls, "split"):
        # Its repr makes Python forget which warnings were shown already.
        own = {**vars(value), **vars(value).get("cvargs", {})}
        parts = [f"{k}={_show(own[k], inside)}" for k in sorted(own) if k not in ("cv", "cvargs") and k[0] != "_"]
        return f"{cls.__name__}({', '.join(parts)})"
    return _without_passwords(_SECRET_PART.sub(_mask_part, _ADDRESS.sub("", repr(value))))


def _mask_part(found: re.Match[str]) -> str:
    return found[0] if found[2] in ("None", "True", "False") else f"{found[1]}{MASK}"


def _without_passwords(text: str) -> str:
    return _SECRET_IN_URI.sub(rf"\g<1>{MASK}", text) if "://" in text else text


def _container(value: Any, inside: frozenset[int]) -> str:
    if isinstance(value, (dict, MappingProxyType)):
        pairs = list(value.items())[:_MAX_ITEMS]
        parts = [
            f"{_show(k, inside)}: {MASK if isinstance(k, str) and is_secret(k, v) else _show(v, inside)}"
            for k, v in pairs
        ]
    else:
        parts = [_show(v, inside) for v in list(value)[:_MAX_ITEMS]]
    if isinstance(value, (set, frozenset)):
        parts.sort()  # the order of a set changes from process to process
    if len(value) > _MAX_ITEMS:
        parts.append(f"… {len(value):,} items")
    left, right = "[]" if type(value) is list else "()" if type(value) is tuple else "{}"
    comma = "," if type(value) is tuple and len(value) == 1 else ""
    body = ", ".join(parts) + comma
    if isinstance(value, frozenset):
        return f"frozenset({{{body}}})"
    return f"{left}{body}{right}" if value or not isinstance(value, set) else "set()"


def _array(value: Any, inside: frozenset[int]) -> str:
    shape = tuple(value.shape)
    if shape == () and hasattr(value, "item"):
        return _show(value.item(), inside)
    dtype = getattr(value, "dtype", None)
    if type(value).__module__ == "numpy" and math.prod(shape) <= _MAX_INLINE_ARRAY:
        return f"array({_show(value.tolist(), inside)}, dtype={dtype})"
    told = f", dtype={dtype}" if dtype is not None else ""
    return f"{type(value).__name__}(shape={shape}{told}, digest={digest_of(value)})"
