"""Models that are scripts: how a script says which object is the model, and finds its settings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import yaml

from fitbook.errors import InvalidValue, NotFound

_chosen: ContextVar[list[Any] | None] = ContextVar("fitbook_model_of_a_script", default=None)
_settings: ContextVar[Mapping[str, Any] | None] = ContextVar("fitbook_settings_of_a_script", default=None)


class ModelConfig:
    """The settings of a model that is a script: the model's ``model_config``, or while it is being written, another's.

    Parameters
    ----------
    development_config : dict or path, optional
        What holds where the script is run by hand; a path is that of a YAML file.

    Raises
    ------
    InvalidValue
        The script is saved as a model, or loaded, without ``model_config``; or there are no settings at all.
    """

    def __init__(self, *, development_config: Mapping[str, Any] | str | os.PathLike[str] | None = None) -> None:
        of_model = _settings.get()
        found = read_settings(development_config) if of_model is None else of_model
        if not found:
            raise InvalidValue(
                "The script asks for its settings, and has none: give model_config={…} to log_model, and "
                "development_config where it is run by hand."
            )
        self._found = dict(found)

    def get(self, key: str) -> Any:
        """One setting."""
        if key not in self._found:
            raise NotFound("setting of the model", key, list(self._found))
        return self._found[key]

    def to_dict(self) -> dict[str, Any]:
        """All settings."""
        return dict(self._found)


def read_settings(given: Mapping[str, Any] | str | os.PathLike[str] | None) -> dict[str, Any]:
    """Settings from a dict, or a YAML file.

    Raises
    ------
    InvalidValue
        The file can't be read, or does not hold settings by name.
    """
    if isinstance(given, (str, os.PathLike)):
        try:
            given = yaml.safe_load(Path(given).read_bytes())
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise InvalidValue(f"The file of a model's settings can't be read: {error}") from error
    if not isinstance(given, (Mapping, type(None))):
        raise InvalidValue(f"A model's settings are a dict, or a YAML file of one, not {given!r:.100}.")
    return dict(given or {})


def set_model(model: Any) -> None:
    """Say, in a script that is saved as a model, which object is the model.

    Parameters
    ----------
    model : PythonModel or callable
        What is to predict. Of several calls the last counts; a script that is run by hand goes on as if there was none.

    Examples
    --------
    The file ``doubler.py``::

        import fitbook.pyfunc
        from fitbook.models import set_model

        class Doubler(fitbook.pyfunc.PythonModel):
            def predict(self, model_input):
                return model_input * 2

        set_model(Doubler())

    is saved by ``fitbook.pyfunc.log_model("doubler", python_model="doubler.py")``.
    """
    chosen = _chosen.get()
    if chosen is not None:
        chosen[:] = [model]


@contextmanager
def choosing(settings: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Collect what `set_model` is called with meanwhile, a list of no or one model; `ModelConfig` finds the settings."""
    chosen: list[Any] = []
    token, other = _chosen.set(chosen), _settings.set(settings)
    try:
        yield chosen
    finally:
        _chosen.reset(token)
        _settings.reset(other)
