"""Rules for names, keys and values: pure functions that return the accepted value or raise `InvalidValue`."""

from __future__ import annotations

import functools
import numbers
import re
from collections.abc import Sequence
from typing import Any

from fitbook.errors import InvalidValue

MAX_KEY = 250
MAX_NAME = 256
# In bytes of UTF-8. MySQL's client takes 16 MB in one statement, where every character may have to be escaped.
MAX_TEXT = 6_000_000

# MLflow's rule for keys; anything narrower would refuse what its users log today.
_KEY = re.compile(r"[/\w.\- :]+")
_NOT_PLAIN = re.compile(r"(?:\A|/)\.{0,2}(?:/|\Z)")
_UNSAFE_KEY_CHAR = re.compile(r"[^/\w.\- :]")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_ID = re.compile(r"[0-9A-Za-z][\w\-]*", re.ASCII)


def key(kind: str, value: object) -> str:
    """Check the key of a param, metric or tag.

    Parameters
    ----------
    kind : str
        ``"parameter"``, ``"metric"`` or ``"tag"``, for the message.
    value : object
        The key that the user gave.
    """
    if type(value) is str and _is_key(value):
        return value
    if not isinstance(value, str):
        raise InvalidValue(f"The {kind} key {value!r} is a {type(value).__name__}; give a string.")
    if not value or value.isspace():
        raise InvalidValue(f"The {kind} key is empty; give it a name.")
    if len(value) > MAX_KEY:
        raise InvalidValue(
            f"The {kind} key {value[:40]!r}… has {len(value)} characters; at most {MAX_KEY} are allowed."
        )
    if not _KEY.fullmatch(value):
        bad = "".join(sorted(set(_UNSAFE_KEY_CHAR.findall(value)))) or "\n"
        raise InvalidValue(
            f"The {kind} key {value!r} contains {bad!r}; letters, digits, and _ - . : / and space are allowed."
        )
    if _NOT_PLAIN.search(value):
        raise InvalidValue(f"The {kind} key {value!r} is not a plain path; leave out leading '/', '//', '.' and '..'.")
    return value


@functools.lru_cache(maxsize=4096)  # programs log the same few keys again and again
def _is_key(value: str) -> bool:
    is_short = len(value) <= MAX_KEY and not value.isspace()
    return is_short and _KEY.fullmatch(value) is not None and _NOT_PLAIN.search(value) is None


def safe_key(value: object) -> str:
    """Turn any object into a key that `key` accepts; used where nothing may be lost for its name's sake."""
    parts = [p for p in _UNSAFE_KEY_CHAR.sub("_", str(value)).split("/") if p not in ("", ".", "..")]
    text = "/".join(parts) or "_"
    if text.isspace():
        return "_"
    return text if len(text) <= MAX_KEY else text[: MAX_KEY - 1] + "_"


def text(what: str, value: object, most: int | None = None) -> str:
    """Check a text that every database has to hold as it is: the value of a param or tag, a description, a source.

    Parameters
    ----------
    what : str
        What it is, for the message.
    value : object
        What the user gave; of anything but a string, what ``str`` makes of it.
    most : int, optional
        The most characters; without it, `MAX_TEXT` bytes.
    """
    content = value if type(value) is str else str(value)
    if (not content.isascii() or "\x00" in content) and (found := _NO_TEXT.search(content)):
        wrong = "a NUL" if found[0] == "\x00" else f"{found[0]!r}, half of a surrogate pair,"
        raise InvalidValue(
            f"The {what} {_show(content)} has {wrong} at character {found.start() + 1}, which not every database can hold; "
            "leave it out or escape it."
        )
    if most is not None and len(content) > most:
        raise InvalidValue(f"The {what} {_show(content)} has {len(content)} characters; at most {most} are allowed.")
    if len(content) * 4 > MAX_TEXT and (size := len(content.encode())) > MAX_TEXT:
        raise InvalidValue(
            f"The {what} {_show(content)} has {size:,} bytes; at most {MAX_TEXT:,} are allowed. Log it as an artifact."
        )
    return content


def safe_text(value: object) -> str:
    """Turn any object into a text that `text` accepts, with escapes for what it refuses; what is too long is cut."""
    content = str(value)
    if not content.isascii() or "\x00" in content:
        content = _NO_TEXT.sub(lambda found: found[0].encode("unicode_escape").decode(), content)
    if len(content) * 4 <= MAX_TEXT or len(encoded := content.encode()) <= MAX_TEXT:
        return content
    return encoded[: MAX_TEXT - 3].decode(errors="ignore") + "…"


def identifier(what: str, value: object, most: int = 32) -> str:
    """Check the id of a run or model: letters, digits, ``_`` and ``-`` of ASCII."""
    if isinstance(value, str) and len(value) <= most and _ID.fullmatch(value):
        return value
    raise InvalidValue(f"The {what} {_show(value)} is not 1 to {most} letters, digits, '_' and '-'.")


def asked(what: str, value: object) -> str:
    """Check what something is looked up by: a text, for MySQL finds every text without digits for the number 0.

    Parameters
    ----------
    what : str
        What it is, for the message.
    value : object
        What the user gave.
    """
    if type(value) is str and value.isascii() and "\x00" not in value:
        return value
    if not isinstance(value, str):
        raise InvalidValue(f"The {what} {_show(value)} is of type {type(value).__name__}; give a string.")
    if found := _NO_TEXT.search(value):
        raise InvalidValue(f"The {what} {_show(value)} has {found[0]!r}, which no {what} can have.")
    return value


def metric_value(metric_key: str, value: Any) -> float:
    """Check a metric's value: a real number, NaN and infinities included; numpy scalars and 0-d arrays are numbers."""
    if isinstance(value, (float, int)) and not isinstance(value, bool):
        return _to_float(metric_key, value)
    if isinstance(value, (bool, numbers.Real)) or (
        hasattr(value, "item") and getattr(value, "shape", None) in ((), (1,))
    ):
        value = value.item() if hasattr(value, "item") else value
        if isinstance(value, numbers.Real):
            return _to_float(metric_key, value)
    raise InvalidValue(
        f"The metric {metric_key!r} got {_show(value)} ({type(value).__name__}); a metric is one real number. "
        "Log text as a tag or parameter, several numbers as several metrics, steps or an artifact."
    )


def _to_float(metric_key: str, value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InvalidValue(f"The metric {metric_key!r} got a number that a 64-bit float can't hold.") from None


def step(value: Any) -> int:
    """Check a step: any whole number of 64 bits, given as int or a float without fraction; None is 0."""
    number = 0 if value is None else _whole_part(value)
    if number is None or (value is not None and number != value):
        raise InvalidValue(f"The step {_show(value)} is not a whole number of 64 bits.")
    return number


def timestamp(value: Any) -> int:
    """Check a moment in milliseconds since the epoch; fractions of a millisecond are dropped."""
    number = _whole_part(value)
    if number is None:
        raise InvalidValue(f"The timestamp {_show(value)} is not a number of milliseconds since the epoch.")
    return number


def _whole_part(value: Any) -> int | None:
    if type(value) is int:  # most are, and asking for a Real is slow
        return value if abs(value) < 2**63 else None
    is_number = isinstance(value, numbers.Real)
    try:
        whole = int(value) if is_number else 2**63
    except (ValueError, OverflowError):  # NaN and infinities
        return None
    return whole if abs(whole) < 2**63 else None


def one_of(what: str, value: object, allowed: Sequence[str]) -> str:
    """Check a value that is one of a few words."""
    if isinstance(value, str) and value in allowed:
        return value
    raise InvalidValue(f"The {what} {_show(value)} is none of {', '.join(allowed)}.")


def name(kind: str, value: object, *, slashes: bool = True) -> str:
    """Check the name of an experiment, run, registered model or alias."""
    if not isinstance(value, str):
        raise InvalidValue(f"The {kind} name {value!r} is a {type(value).__name__}; give a string.")
    if not value.strip():
        raise InvalidValue(f"The {kind} name is empty; give it a name.")
    if len(value) > MAX_NAME:
        raise InvalidValue(
            f"The {kind} name {value[:40]!r}… has {len(value)} characters; at most {MAX_NAME} are allowed."
        )
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise InvalidValue(f"The {kind} name {value!r} contains control characters; leave them out.")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise InvalidValue(f"The {kind} name {value!r} is not valid Unicode.")
    if not slashes and ("/" in value or ":" in value):
        raise InvalidValue(f"The {kind} name {value!r} contains '/' or ':', which model URIs need; leave them out.")
    return value


def _show(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        return "a value that can't be shown"
    return text if len(text) <= 80 else text[:80] + "…"
