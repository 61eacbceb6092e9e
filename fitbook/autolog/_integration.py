"""The life cycle of an integration: version check, hooks on import, on and off as often as one likes."""

from __future__ import annotations

import functools
import re
import sys
from abc import ABC, abstractmethod
from contextvars import ContextVar
from importlib import metadata

import wrapt

from fitbook._log import logger
from fitbook.autolog._config import Config
from fitbook.autolog._guard import quietly
from fitbook.autolog._patch import Patches

# The options that were sent here with a task, by a process that has autologging on.
sent: ContextVar[Config | None] = ContextVar("fitbook_config_sent", default=None)


class Integration(ABC):
    """Autologging for one library.

    Subclasses say which library and name the modules to hook; `apply` is called for each of them that is imported,
    before or after autologging was turned on.
    """

    name: str
    distribution: str
    supported: tuple[tuple[int, ...], tuple[int, ...]]  # from the first version, up to but without the second
    modules: tuple[str, ...]

    def __init__(self) -> None:
        self.attached = False
        self.patches = Patches()
        self._config: Config | None = None
        self._watched: set[str] = set()

    @abstractmethod
    def apply(self, module_name: str) -> None:
        """Put the hooks into a module that has just been imported."""

    def problem(self) -> str | None:
        """Say why this integration can't run here; None if it can."""
        try:
            found = metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return f"{self.distribution} is not installed"
        oldest, too_new = self.supported
        if oldest <= _numbers(found) < too_new:
            return None
        return f"{self.distribution} {found} is installed, and fitbook works with {self.requirement}"

    def version(self) -> tuple[int, ...]:
        """Give the leading numbers of the installed version."""
        return _numbers(metadata.version(self.distribution))

    @property
    def config(self) -> Config | None:
        """The options that hold here; None if autologging is off."""
        return sent.get() or self._config

    @property
    def requirement(self) -> str:
        """What is supported, as pip would write it."""
        oldest, too_new = (".".join(map(str, version)) for version in self.supported)
        return f"{self.distribution}>={oldest},<{too_new}"

    def enable(self, config: Config) -> None:
        """Turn on, or change the options."""
        sent.set(None)
        self._config = config
        self.attach()

    def attach(self) -> None:
        """Put the hooks in, which do nothing where there is no `config`."""
        self.attached = True
        for module_name in self.modules:
            if module_name in self._watched:
                self._imported(module_name)
            else:
                self._watched.add(module_name)
                wrapt.register_post_import_hook(functools.partial(self._imported, module_name), module_name)

    def disable(self) -> None:
        """Turn off, and leave no trace."""
        sent.set(None)
        self._config, self.attached = None, False
        self.patches.undo()

    def _imported(self, module_name: str, _module: object = None) -> None:
        # An error here would be one of the user's import statement.
        if self.attached and module_name in sys.modules:
            with quietly(f"hooking {module_name}"):
                self.apply(module_name)
                logger.debug("hooked %s", module_name)


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version; ``packaging`` would know all of them, and take 20 ms to import."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
