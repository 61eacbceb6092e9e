"""The warnings of what is being recorded, noted on their way to the user."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fitbook._log import FitbookWarning
from fitbook.autolog._guard import RECORDED, inside, quietly
from fitbook.autolog._session import recording, without_frame

_MAX_WARNINGS = 20
_MAX_LENGTH = 500


def hook_show(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what Python shows a warning with when all filters have let it through.

    So what is noted is what the user sees, in the thread that was called; and nothing else is touched, neither filters
    nor the memory of what was shown before.
    """

    @functools.wraps(original)
    def _showwarnmsg(msg: Any) -> Any:
        with quietly("noting a warning"):
            _note(msg)
        try:
            return original(msg)
        except BaseException as error:
            without_frame(error)
            raise

    return _showwarnmsg


def _note(msg: Any) -> None:
    warned: list[str] | None = getattr(recording.get(), "warned", None)
    if warned is None or inside.get() != RECORDED or len(warned) >= _MAX_WARNINGS:
        return
    if issubclass(msg.category, FitbookWarning):
        return
    words = msg.message.args[:1] if isinstance(msg.message, Warning) else ()
    # No message of the user's own making is made once more.
    text = f"{msg.category.__name__}: {words[0]}" if words and type(words[0]) is str else msg.category.__name__
    if text[:_MAX_LENGTH] not in warned:
        warned.append(text[:_MAX_LENGTH])
