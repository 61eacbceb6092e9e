"""What a model name, alias, stage or version number may be: pure functions that return the accepted value.

A name or alias that is accepted here can be written into a model URI as it is and read back from it: nothing in a
URI is percent-encoded, so the few characters that would end or split it are refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from fitbook import _validate
from fitbook.errors import InvalidValue

STAGES = ("None", "Staging", "Production", "Archived")
ACTIVE_STAGES = ("Staging", "Production")
LATEST = "latest"

_STAGE = {stage.lower(): stage for stage in STAGES}
_ALIAS = re.compile(r"[\w\-]{1,255}")
_VERSION_ALIAS = re.compile(r"[vV]\d+")
_VERSION = re.compile(r"[0-9]{1,18}")
# Cyrillic and Greek letters, and dashes, that nobody can tell from those of ASCII.
_TWINS = str.maketrans(
    "аеорсухіјѕһԁԛԝАВЕКМНОРСТХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧο\u2010\u2011\u2012\u2013\u2014\u2212",
    "aeopcyxijshdqwABEKMHOPCTXIJSABEZHIKMNOPTYXo------",
)


def model_name(value: object) -> str:
    """Check the name of a registered model.

    Raises
    ------
    InvalidValue
        It is not text, empty, longer than 256 characters, or a model URI could not hold it.
    """
    name = _validate.name("registered model", value, slashes=False)
    bad = sorted({c for c in name if c in "?#\\" or not storable(c)})
    if bad:
        raise InvalidValue(f"The registered model name {name!r} contains {bad[0]!r}, which model URIs can't hold.")
    if name != name.strip() or name in (".", ".."):
        raise InvalidValue(f"The registered model name {name!r} is '.', '..' or has spaces at its ends; change that.")
    return name


def new_model_name(value: object) -> str:
    """Check a name that is to be given to a registered model: the same, without ``%``, which other tools decode.

    Raises
    ------
    InvalidValue
        `model_name` refuses it, or there is a ``%`` in it.
    """
    name = model_name(value)
    if "%" in name:
        raise InvalidValue(f"The registered model name {name!r} contains '%', which URLs can't hold; leave it out.")
    return name


def refuse_twin(kind: str, new: str, known: Iterable[str]) -> None:
    """Refuse a name that looks like one of the others.

    Raises
    ------
    InvalidValue
        It differs from one of them in nothing that can be seen: letters of other alphabets, accents that are spelled
        otherwise, characters without width, kinds of spaces and dashes.
    """
    seen = _looks(new)
    for other in known:
        if other != new and _looks(other) == seen:
            raise InvalidValue(
                f"The {kind} name {new!r} looks like {other!r}, which exists, but is spelled {ascii(new)} rather than "
                f"{ascii(other)}. Take the one that is there, or a name that can be told from it."
            )


def _looks(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).translate(_TWINS)
    return " ".join("".join(c for c in plain if unicodedata.category(c) != "Cf").split())


def alias(value: object) -> str:
    """Check an alias.

    Raises
    ------
    InvalidValue
        It has other characters than letters, digits, ``_`` and ``-``, or reads like a version (``latest``, ``v3``).
    """
    if not isinstance(value, str) or not _ALIAS.fullmatch(value):
        raise InvalidValue(f"The alias {value!r} is not 1 to 255 letters, digits, '_' and '-'.")
    if value.lower() == LATEST or _VERSION_ALIAS.fullmatch(value):
        raise InvalidValue(
            f"The alias {value!r} is reserved: 'latest' and 'v<number>' read like versions. Choose another name, "
            "for instance 'champion'."
        )
    return value


def stage(value: object) -> str:
    """Spell a stage as it is stored, whatever its case.

    Raises
    ------
    InvalidValue
        It is none of the four stages.
    """
    found = _STAGE.get(str(value).lower())
    if found is None:
        raise InvalidValue(
            f"{value!r} is not a stage; there are {', '.join(STAGES)}. For a name of your own, set an alias."
        )
    return found


def version(value: object) -> int:
    """Read a version number given as a whole number or as its decimal digits.

    Raises
    ------
    InvalidValue
        It is neither.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not _VERSION.fullmatch(str(value)):
        raise InvalidValue(f"{value!r} is not a version number; give a whole number such as 3 or '3'.")
    return int(value)


def storable(text: str) -> bool:
    """Whether text has no control characters, line separators or halves of surrogate pairs."""
    return all(unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in text)
