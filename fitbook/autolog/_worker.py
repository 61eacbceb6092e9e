"""What a task does in another process than the one that sent it: record there as the sender would."""

from __future__ import annotations

import functools
import os
import pickle
import platform
from collections.abc import Callable, Mapping
from typing import Any

from fitbook.autolog import _guard
from fitbook.autolog._config import Config
from fitbook.autolog._integration import sent
from fitbook.autolog._patch import unseen
from fitbook.autolog._portable import Call
from fitbook.autolog._record import borrowed
from fitbook.autolog._session import finish_in_worker, without_frame
from fitbook.autolog._switch import INTEGRATIONS
from fitbook.autolog._tasks import Context, Observer, Sender, Task, rebuild_from
from fitbook.tracking._backend import as_sent, open_backend


def opened(parts: Mapping[str, bytes | None]) -> Callable[[Any], Callable[..., Any]]:
    """Put the hooks in, and give what rebuilds the tasks of one sender."""
    packed = parts["sender"]
    sender = None if packed is None else _unpacked(packed)
    if sender is not None and _is_elsewhere(sender):
        with _guard.quietly("turning autologging on in a worker"):
            for integration in INTEGRATIONS.values():
                if not integration.attached and integration.problem() is None:
                    integration.attach()
    return functools.partial(_rebuilt, rebuild_from(packed), sender)


def _rebuilt(
    rebuild: Call, sender: Sender | None, parts: tuple[Callable[..., Any], int, Observer | None]
) -> Callable[..., Any]:
    function, level, observer = parts
    # It can be sent on: a scheduler of Dask's unpickles what it passes to the workers.
    context = Context(level, (), rebuild)
    return Task(function, context, observer) if sender is None else _Recording(function, context, observer, sender)


class _Recording(Task):
    """A task whose fits are recorded here as they would be where it was sent from."""

    __slots__ = ("sender",)

    def __init__(
        self, function: Callable[..., Any], context: Context, observer: Observer | None, sender: Sender
    ) -> None:
        super().__init__(function, context, observer)
        self.sender = sender

    @unseen
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        sender, run = self.sender, super().__call__
        config = _options(sender)
        if config is None:
            return run(*args, **kwargs)
        on, mine, place = sent.set(config), borrowed.set(sender.run), as_sent.set(sender.place)
        try:
            return run(*args, **kwargs)
        except BaseException as error:
            without_frame(error)
            raise
        finally:
            if _is_elsewhere(sender):
                finish_in_worker(ends=True)
            as_sent.reset(place)
            borrowed.reset(mine)
            sent.reset(on)


def _is_elsewhere(sender: Sender) -> bool:
    return (sender.node, sender.pid) != (platform.node(), os.getpid())


@functools.lru_cache(maxsize=8)
def _unpacked(sender: bytes) -> Sender:
    return Sender(*pickle.loads(sender))


@functools.lru_cache(maxsize=8)
def _options(sender: Sender) -> Config | None:
    """Give the options that hold for a sender's tasks; None where nothing can be recorded."""
    with _guard.quietly("turning autologging on in a worker"):
        config: Config = pickle.loads(sender.config) if sender.config else Config()
        if _is_elsewhere(sender):
            _guard.start_over(silent=config.silent)
        if sender.node != platform.node():
            # The path of a folder leads to nothing on another machine, unless it is a shared one.
            open_backend(sender.place.uri, create=False)
        return config
    return None
