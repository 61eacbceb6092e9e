"""Artifact locations: text into a typed place, once. What opens a place is given the place, never the text.

=====================================================  =============================================
a path                                                 `LocalPlace`; taken as it is, ``#`` and ``%`` too
``file:///absolute/path``                              `LocalPlace`; percent-decoded once
``s3://bucket/folder``                                 `RemotePlace`, read literally
``gs://bucket/folder``, ``gcs://…``                    the same
``abfs://container/folder``, ``abfss://…``, ``az://…``   the same, or ``abfss://container@account.dfs.core.windows.net/…``
``memory://name/folder``                               the same, in this process only
=====================================================  =============================================
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from fitbook.artifacts._base import refusal
from fitbook.errors import InvalidValue

REMOTE_SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "az", "memory")

# A single letter and a colon is a drive, where drives exist.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"([A-Za-z0-9][A-Za-z0-9._\-]{0,254})(?:@([a-z0-9]{3,24})\.(?:dfs|blob)\.core\.windows\.net)?")
_FORMS = "a path, file:///absolute/path, " + ", ".join(f"{scheme}://" for scheme in REMOTE_SCHEMES)
# A run adds its id and ``artifacts``.
_MAX_LENGTH, _MAX_BYTES = 2000, 1000


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A folder of this machine, absolute."""

    folder: Path

    def __str__(self) -> str:
        return self.folder.as_uri()


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """A folder that an fsspec driver reaches; ``key`` has no slash at either end, and is empty for the container."""

    scheme: str
    container: str
    key: str
    account: str = ""

    def __str__(self) -> str:
        account = f"@{self.account}.dfs.core.windows.net" if self.account else ""
        return f"{self.scheme}://{self.container}{account}" + (f"/{self.key}" if self.key else "")


Place = LocalPlace | RemotePlace


def parse(location: str | Path) -> Place:
    """Read an artifact location.

    Raises
    ------
    InvalidValue
        It is none of the forms, or holds what could be read in two ways: a query, fragment, ``;``, user, control
        character, backslash, ``.``, ``..`` or empty part, encoded or not.
    """
    if isinstance(location, Path):
        return _local(str(location), location)
    if not isinstance(location, str):
        raise InvalidValue(f"The artifact location {location!r} is a {type(location).__name__}; give a text or a Path.")
    if not location or location != location.strip() or len(location) > _MAX_LENGTH:
        raise _refused(location, f"it is empty, has spaces around it, or more than {_MAX_LENGTH} characters")
    found = _SCHEME.fullmatch(location)
    if found is None:
        if location.startswith("//") or re.match(r"[A-Za-z]:", location):
            raise _refused(location, "it begins with two slashes or a drive")
        return _local(location, Path(location))
    scheme, rest = found[1].lower(), found[2]
    if scheme == "file":
        return _file(location, rest)
    if scheme in REMOTE_SCHEMES:
        return _remote(location, scheme, rest)
    raise _refused(
        location, f"the scheme {scheme!r} is not one of those (a folder of that name is written './{scheme}:…')"
    )


def checked_location(location: str | Path) -> str:
    """Write the location of an experiment in the one way that means the same from every working directory.

    Raises
    ------
    InvalidValue
        It is no location, see `parse`, or so long that the files of runs would have no room in it.
    """
    text = str(parse(location))
    if len(text.encode()) > _MAX_BYTES:
        raise _refused(text, f"it has more than {_MAX_BYTES} bytes")
    return text


def _local(location: str, path: Path) -> LocalPlace:
    try:
        path = path.expanduser().absolute()
    except (RuntimeError, ValueError) as error:
        raise _refused(location, f"its '~' leads nowhere ({error})") from None
    # A user's own '..' is followed as the kernel would, so that none is written down.
    if ".." in path.parts and not _bad_character(str(path)):
        path = path.resolve()
    for part in path.parts[1:]:
        reason = _bad_character(part) or _hidden(part)
        if reason:
            raise _refused(location, reason)
    return LocalPlace(path)


def _file(location: str, rest: str) -> LocalPlace:
    if rest.startswith("//localhost/"):
        rest = rest.removeprefix("//localhost")
    elif rest.startswith("//") and not rest.startswith("///"):
        host = rest[2:].partition("/")[0]
        raise _refused(location, f"it names the host {host!r}, and files of other machines can't be reached")
    rest = rest.removeprefix("//")
    if not rest.startswith("/"):
        raise _refused(location, "its path is not absolute")
    if any(c in rest for c in "?#;"):
        raise _refused(location, "it contains '?', '#' or ';', which a name has as %3F, %23 or %3B")
    if any(part in (".", "..") for part in unquote(rest).split("/")) or "//" in rest:
        raise _refused(location, "it contains '.', '..' or empty parts")
    try:
        path = unquote_to_bytes(rest).decode("utf-8")
    except (UnicodeDecodeError, UnicodeEncodeError):
        raise _refused(location, "it is not valid UTF-8") from None
    if path.count("/") != rest.count("/"):
        raise _refused(location, "it contains an encoded slash")
    return _local(location, Path(path))


def _remote(location: str, scheme: str, rest: str) -> RemotePlace:
    if not rest.startswith("//"):
        raise _refused(location, "two slashes and the name of a bucket must follow the scheme")
    authority, slash, key = rest[2:].partition("/")
    found = _AUTHORITY.fullmatch(authority)
    if found is None or ".." in authority or (found[2] and scheme not in ("abfs", "abfss", "az")):
        raise _refused(
            location, "what follows the slashes is not the plain name of a bucket, without user, password and port"
        )
    key = key.removesuffix("/")
    if any(c in key for c in "?#;%@"):
        raise _refused(location, "'?', '#', ';', '%' and '@' are not allowed in it")
    if slash and key:
        reason = refusal(key)
        if reason:
            raise _refused(location, reason)
    return RemotePlace(scheme, found[1], key, found[2] or "")


def _bad_character(text: str) -> str:
    if "\\" in text or any(ord(c) < 32 or ord(c) == 127 for c in text):
        return "it contains backslashes or control characters"
    if any("\ud800" <= c <= "\udfff" for c in text):
        return "it is not valid Unicode"
    if any(len(part.encode()) > 255 for part in text.split("/")):
        return "a part of it has more than 255 bytes"
    return ""


def _hidden(part: str) -> str:
    """Tell why one name of a folder would be something else to a reader who decodes or folds it."""
    while (decoded := unquote(part)) != part:
        part = decoded
    folded = unicodedata.normalize("NFKC", part)
    if not folded.strip(". ") or "/../" in f"/{folded}/" or _bad_character(part) or "/" in part:
        return "it contains encoded dots, slashes or control characters"
    return ""


def _refused(location: str, reason: str) -> InvalidValue:
    shown = location if len(location) <= 300 else location[:300] + "…"
    # A user and password may stand in it.
    shown = re.sub(r"(?<=//)[^/]*:[^/]*@", "…@", shown)
    return InvalidValue(f"The artifact location {shown!r} can't be used: {reason[:300]}. Give {_FORMS}.")
