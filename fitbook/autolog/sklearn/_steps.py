"""The steps of a sequential feature selection, of which the fitted selector keeps nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fitbook.autolog._guard import quietly
from fitbook.autolog._session import Hook, recording
from fitbook.autolog.sklearn._fit import FitRecord
from fitbook.autolog.sklearn._kinds import unwrap


class StepHook(Hook):
    """Notes which feature was taken, and how good that was."""

    __slots__ = ()

    def note(self, selector: Any, step: Any) -> None:
        """Note it with the record of the selector's own fit, if that is what is recorded here."""
        record = recording.get()
        if isinstance(record, FitRecord) and unwrap(record.estimator)[0] is selector:
            with quietly("noting a step of a feature selection"):
                feature, score = step
                record.steps.append((int(feature), float(score)))


def hook_steps(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the method that finds the next feature."""
    hook = StepHook()

    @functools.wraps(original)
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            # As in hook_fit: no frame of ours in the user's traceback.
            BaseException.with_traceback(error, error.__traceback__ and error.__traceback__.tb_next)
            raise
        if hook:
            hook.note(self, result)
        return result

    return step
