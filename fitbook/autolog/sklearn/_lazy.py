"""A module that is imported when it is first used: `import fitbook` must stay light, and readable code says ``np``."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any


class Lazy(ModuleType):
    """Stands for a module until one of its names is asked for.

    Names are kept after their first use, so that later look-ups cost what they cost on the module itself.

    Parameters
    ----------
    name : str
        Dotted name of the module.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # inspection of the stand-in is no reason to import
            raise AttributeError(name)
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)
        return value
