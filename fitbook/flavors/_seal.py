"""Own work: a model's folder whose MLmodel file ends with a seal that only this user's installation can make.

The seal is a keyed hash over every file of the folder, so it may travel with it: a copy is own work where the key is, and
nowhere else, and no part of it can be exchanged for another.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from fitbook import settings
from fitbook._log import FitbookWarning
from fitbook.models._mlmodel import MLMODEL

CODE = "code"

_MARK = b"fitbook_seal: "
_PURPOSE = b"a model's folder, 1\n"  # what else the key may once be used for is no seal
_KEY_BYTES = 32
_keys: dict[str, bytes] = {}


def sealed(mlmodel: bytes, digests: Mapping[str, str]) -> bytes:
    """Add the seal to the content of an MLmodel file.

    Parameters
    ----------
    mlmodel : bytes
        YAML, a table of lines.
    digests : mapping of str to str
        The sha256, in hex, of each other file of the folder, by relative path.
    """
    return mlmodel + _MARK + _seal(mlmodel, digests) + b"\n"


def own_digests(folder: Path) -> frozenset[str]:
    """Give the sha256, in hex, of each file of a folder that is own work; none if it is not, or not any more."""
    try:
        mlmodel, mark, seal = (folder / MLMODEL).read_bytes().rpartition(_MARK)
        if not mark:
            return frozenset()
        digests = {name: digest_of(path) for name, path in _files(folder)}
    except OSError:
        return frozenset()
    return frozenset(digests.values() if hmac.compare_digest(seal.strip(), _seal(mlmodel, digests)) else ())


def digest_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise OSError(f"{path} is no file of the folder's own")
        # What Python has compiled of the code; fitbook's imports don't read it.
        compiled = name.parts[0] == CODE and "__pycache__" in name.parts
        if path.is_file() and name.as_posix() != MLMODEL and not compiled:
            yield name.as_posix(), path


def _seal(mlmodel: bytes, digests: Mapping[str, str]) -> bytes:
    listed = json.dumps(sorted(digests.items())).encode()
    content = _PURPOSE + hashlib.sha256(mlmodel).digest() + listed
    return hmac.digest(_key(settings.KEY_FILE.get()), content, "sha256").hex().encode()


def _key(file: str) -> bytes:
    """The installation's key; one of this process alone where none can be kept."""
    return _keys.get(file) or _keys.setdefault(file, _kept(file) or os.urandom(_KEY_BYTES))


def _kept(file: str) -> bytes | None:
    try:
        path = Path(file).expanduser()
        if not path.exists():
            _make(path)
        key, mode = path.read_bytes(), path.stat().st_mode
    except (OSError, RuntimeError):  # no home, or nothing can be written there
        return None
    if len(key) == _KEY_BYTES and not mode & stat.S_IRWXO:
        return key
    warnings.warn(
        f"The key of your own models, {path}, is not used: "
        + (
            "it is damaged; delete it to get another."
            if len(key) != _KEY_BYTES
            else f"others can read it: chmod 600 {path}"
        ),
        FitbookWarning,
        stacklevel=2,
    )
    return None


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # for the user alone
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(_KEY_BYTES))
            file.flush()
            os.fsync(handle)
        with suppress(FileExistsError):  # another process was faster: its key counts
            os.link(scratch, path)
    finally:
        os.unlink(scratch)
