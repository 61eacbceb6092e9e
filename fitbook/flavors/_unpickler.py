"""Unpicklers: one that knows exact names only, and one for what somebody answers for."""

from __future__ import annotations

import io
import pickle
from collections.abc import Container
from typing import Any

from fitbook.errors import UntrustedModel
from fitbook.flavors._allowed import RENAMED, RENAMED_MODULES


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(*RENAMED.get((module, name), (RENAMED_MODULES.get(module, module), name)))


class _Restricted(_Unpickler):
    def __init__(self, data: bytes, source: str, permitted: Container[str]) -> None:
        super().__init__(io.BytesIO(data))
        self._source = source
        self._permitted = permitted

    def find_class(self, module: str, name: str) -> Any:
        # The scan has found all names; this is the lock on the door itself, should it ever have missed one.
        if f"{module} {name}" not in self._permitted:
            raise UntrustedModel(self._source, [f"{module}.{name}"])
        return super().find_class(module, name)


def load_permitted(data: bytes, source: str, permitted: Container[str]) -> object:
    """Unpickle what names nothing but what is permitted; ``module name`` with a space between."""
    loaded: object = _Restricted(data, source, permitted).load()
    return loaded


def load_anything(data: bytes) -> object:
    """Unpickle, whatever it does."""
    loaded: object = _Unpickler(io.BytesIO(data)).load()
    return loaded
