"""Turning the integrations on and off together, and saying what they hook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fitbook.autolog import _guard, _options
from fitbook.autolog._integration import Integration
from fitbook.autolog.sklearn import SklearnIntegration
from fitbook.errors import IntegrationUnavailable

INTEGRATIONS: dict[str, Integration] = {i.name: i for i in (SklearnIntegration(),)}


def turn(given: Mapping[str, Any]) -> None:
    """Turn every integration that can run here on with these options, or all of them off.

    Parameters
    ----------
    given : mapping of str to object
        The options of `fitbook.autolog` that its caller gave; the others come from outside.
    """
    # What turns autologging off does so whatever the files and variables around it say.
    outside, complaints = ({}, []) if given.get("disable") else _options.from_outside()
    options = {**outside, **given}
    if options.get("disable"):
        for integration in INTEGRATIONS.values():
            integration.disable()
        return
    config = _options.config(options)
    _guard.start_over(silent=config.silent)
    for complaint in complaints:
        _guard.say(complaint)
    for integration in INTEGRATIONS.values():
        problem = integration.problem()
        if integration.name in (options.get("exclude_flavors") or ()):
            integration.disable()
        elif problem is None:
            integration.enable(config)
        elif not options.get("disable_for_unsupported_versions"):
            _guard.say(f"{integration.name} is not autologged: {problem}.")


def require(name: str) -> None:
    """Raise `IntegrationUnavailable` if an integration that the user named can't run here."""
    problem = INTEGRATIONS[name].problem()
    if problem is not None:
        raise IntegrationUnavailable(f"Autologging for {name} can't be turned on: {problem}.")
