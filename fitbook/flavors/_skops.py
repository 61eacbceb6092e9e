"""The skops format: no pickle, and a list of types to trust, which is the caller's and never the file's."""

from __future__ import annotations

import importlib
import io
import pickle
import re
import zipfile
from importlib.metadata import version
from typing import Any

from fitbook.errors import ModelError, UntrustedModel
from fitbook.flavors._trust import check, look_at_contents, trusted_names

# More than a hundred times its size no model's numbers are compressed.
_MOST_EXPANDED, _ALWAYS_FINE = 100, 10_000_000
# Older ones trust parts of trees, whose contents can crash the interpreter.
_OLDEST = (0, 15)


def dump_skops(model: object) -> bytes:
    """Write a model; raises `ModelError` where skops can't."""
    try:
        data: bytes = _skops("written").dumps(model)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"The model, a {type(model).__name__}, can't be saved by skops: {error}") from error
    return data


def load_skops(data: bytes, *, source: str) -> object:
    """Load a model.

    Raises
    ------
    UntrustedModel
        It holds types that neither skops nor the caller trusts.
    ModelError
        skops is not installed, or the file is damaged.
    """
    library = _skops("read")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > max(_ALWAYS_FINE, _MOST_EXPANDED * len(data)):
            raise UntrustedModel(source, reason=f"its {len(data):,} bytes would become {size:,}")
        needed = library.get_untrusted_types(data=data)
        trusted = [name for name in needed if name in trusted_names()]
        if len(trusted) < len(needed):
            raise UntrustedModel(source, sorted(set(needed) - set(trusted)))
        loaded: object = library.loads(data, trusted=trusted)
        built = pickle.dumps(loaded, protocol=5)  # types were looked at, and not what crashes compiled code
        check(lambda: look_at_contents(built), data, source=source)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"The model {source} can't be loaded by skops: {error!r}") from error
    return loaded


def _skops(what: str) -> Any:
    try:
        library = importlib.import_module("skops.io")
    except ImportError as error:
        raise ModelError(f"The model is to be {what} in the skops format; `pip install skops` for that.") from error
    here = version("skops")
    if tuple(map(int, re.findall(r"\d+", here)[:2])) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise ModelError(
            f"The model is to be {what} in the skops format, and skops is {here}; it takes {oldest} or newer, as older ones "
            f"trust parts of trees. `pip install 'skops>={oldest}'`."
        )
    return library
