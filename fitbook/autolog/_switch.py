"""Turning the integrations on and off together, and saying what they hook."""

from __future__ import annotations

from fitbook import _validate
from fitbook.autolog import _guard
from fitbook.autolog._config import Config
from fitbook.autolog._integration import Integration
from fitbook.autolog.sklearn import SklearnIntegration
from fitbook.errors import IntegrationUnavailable, InvalidValue

INTEGRATIONS: dict[str, Integration] = {i.name: i for i in (SklearnIntegration(),)}


def turn(config: Config | None, *, quiet_refusal: bool = False) -> None:
    """Turn every integration that can run here on with these options; off with None."""
    if config is None:
        for integration in INTEGRATIONS.values():
            integration.disable()
        return
    _check(config)
    _guard.start_over(silent=config.silent)
    for integration in INTEGRATIONS.values():
        problem = integration.problem()
        if problem is None:
            integration.enable(config)
        elif not quiet_refusal:
            _guard.say(f"{integration.name} is not autologged: {problem}.")


def require(name: str) -> None:
    """Raise `IntegrationUnavailable` if an integration that the user named can't run here."""
    problem = INTEGRATIONS[name].problem()
    if problem is not None:
        raise IntegrationUnavailable(f"Autologging for {name} can't be turned on: {problem}.")


def _check(config: Config) -> None:
    if config.registered_model_name is not None:
        _validate.name("registered model", config.registered_model_name, slashes=False)
    if config.serialization_format not in (None, "pickle", "cloudpickle"):
        raise InvalidValue(
            f"serialization_format is {config.serialization_format!r}; 'pickle' and 'cloudpickle' are possible."
        )
    tuning = config.max_tuning_runs
    if tuning is not None and (not isinstance(tuning, int) or tuning < 0):
        raise InvalidValue(f"max_tuning_runs is {tuning!r}; give a whole number, or None for all.")
    for key, value in config.extra_tags.items():
        _validate.text(f"tag {_validate.key('tag', key)!r}", value)
