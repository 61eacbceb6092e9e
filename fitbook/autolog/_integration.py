"""The life cycle of an integration: version check, hooks on import, on and off as often as one likes."""

from __future__ import annotations

import functools
import sys
from abc import ABC, abstractmethod
from importlib import metadata

import wrapt
from packaging.requirements import Requirement

from fitbook._log import logger
from fitbook.autolog._config import Config
from fitbook.autolog._guard import quietly
from fitbook.autolog._patch import Patches


class Integration(ABC):
    """Autologging for one library.

    Subclasses say which library and name the modules to hook; `apply` is called for each of them that is imported,
    before or after autologging was turned on.
    """

    name: str
    supported: str
    modules: tuple[str, ...]

    def __init__(self) -> None:
        self.config: Config | None = None
        self.patches = Patches()
        self._watched: set[str] = set()

    @abstractmethod
    def apply(self, module_name: str) -> None:
        """Put the hooks into a module that has just been imported."""

    def problem(self) -> str | None:
        """Say why this integration can't run here; None if it can."""
        wanted = Requirement(self.supported)
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            return f"{wanted.name} is not installed"
        if not wanted.specifier.contains(found, prereleases=True):
            return f"{wanted.name} {found} is installed, and fitbook works with {self.supported}"
        return None

    def enable(self, config: Config) -> None:
        """Turn on, or change the options."""
        self.config = config
        for module_name in self.modules:
            if module_name in self._watched:
                self._imported(module_name)
            else:
                self._watched.add(module_name)
                wrapt.register_post_import_hook(functools.partial(self._imported, module_name), module_name)

    def disable(self) -> None:
        """Turn off, and leave no trace."""
        self.config = None
        self.patches.undo()

    def _imported(self, module_name: str, _module: object = None) -> None:
        # An error here would be one of the user's import statement.
        if self.config is not None and module_name in sys.modules:
            with quietly(f"hooking {module_name}"):
                self.apply(module_name)
                logger.debug("hooked %s", module_name)
