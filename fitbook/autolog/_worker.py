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
from fitbook.autolog._record import borrowed
from fitbook.autolog._session import finish_in_worker, without_frame
from fitbook.autolog._switch import INTEGRATIONS
from fitbook.autolog._tasks import Observer, Sender, Task, rebuilt_inside
from fitbook.tracking._backend import as_sent, open_backend


def opened(parts: Mapping[str, bytes | None]) -> Callable[[Any], Callable[..., Any]]:
    """Put the hooks in, and give what rebuilds the tasks of one sender."""
    sent_by = parts["sender"]
    sender = None if sent_by is None else _unpacked(sent_by)
    if sender is not None:
        with _guard.quietly("turning autologging on in a worker"):
            _attach()
    return functools.partial(_rebuilt, sender)


def _attach() -> None:
    for integration in INTEGRATIONS.values():
        if not integration.attached and integration.problem() is None:
            integration.attach()


def _rebuilt(sender: Sender | None, parts: tuple[Callable[..., Any], int, Observer | None]) -> Callable[..., Any]:
    task = rebuilt_inside(parts)
    return task if sender is None else _Recording(task, sender)


class _Recording:
    """A task whose fits are recorded here as they would be where it was sent from."""

    __slots__ = ("_sender", "_task")

    def __init__(self, task: Task, sender: Sender) -> None:
        self._task, self._sender = task, sender

    @unseen
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        config = _options(self._sender)
        if config is None:
            return self._task(*args, **kwargs)
        sender = self._sender
        on, run, place = sent.set(config), borrowed.set(sender.run), as_sent.set((sender.uri, sender.experiment_id))
        try:
            return self._task(*args, **kwargs)
        except BaseException as error:
            without_frame(error)
            raise
        finally:
            if sender.pid != os.getpid():
                finish_in_worker(ends=True)
            as_sent.reset(place)
            borrowed.reset(run)
            sent.reset(on)


@functools.lru_cache(maxsize=8)
def _unpacked(sender: bytes) -> Sender:
    return Sender(*pickle.loads(sender))


@functools.lru_cache(maxsize=8)
def _options(sender: Sender) -> Config | None:
    """Give the options that hold for a sender's tasks; None where nothing can be recorded."""
    with _guard.quietly("turning autologging on in a worker"):
        config: Config = pickle.loads(sender.config) if sender.config else Config()
        if sender.pid != os.getpid():
            _guard.start_over(silent=config.silent)
        if sender.node != platform.node():
            # The path of a folder leads to nothing on another machine, unless it is a shared one.
            open_backend(sender.uri, create=False)
        return config
    return None
