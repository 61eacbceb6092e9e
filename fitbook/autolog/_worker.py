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
from fitbook.autolog._record import borrowed
from fitbook.autolog._session import without_frame
from fitbook.autolog._switch import INTEGRATIONS
from fitbook.autolog._tasks import Context, Sender, Task
from fitbook.tracking._backend import as_sent, open_backend
from fitbook.tracking._writer import writer


def received(parts: Mapping[str, Any]) -> Callable[..., Any]:
    """Rebuild a task from what was pickled."""
    task = Task(parts["function"], Context(parts["inside"], (), parts["observer"], None))
    return task if parts["sender"] is None else _Recording(task, _unpacked(parts["sender"]))


class _Recording:
    """A task whose fits are recorded here as they would be where it was sent from."""

    __slots__ = ("_sender", "_task")

    def __init__(self, task: Task, sender: Sender) -> None:
        self._task, self._sender = task, sender

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        config = None
        with _guard.quietly("turning autologging on in a worker"):
            config = _turned_on(self._sender)
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
            as_sent.reset(place)
            borrowed.reset(run)
            sent.reset(on)
            if sender.pid != os.getpid():
                # Whoever gets the result may end this process at any moment.
                writer.flush(ends=True)


@functools.lru_cache(maxsize=8)
def _unpacked(sender: bytes) -> Sender:
    return Sender(*pickle.loads(sender))


@functools.lru_cache(maxsize=8)
def _turned_on(sender: Sender) -> Config | None:
    """Hook what is to be hooked, and give the options; None where nothing can be recorded."""
    config: Config = pickle.loads(sender.config) if sender.config else Config()
    if sender.node != platform.node():
        # The path of a folder leads to nothing on another machine, unless it is a shared one.
        open_backend(sender.uri, create=False)
    if not any(integration.attached for integration in INTEGRATIONS.values()):
        _guard.start_over(silent=config.silent)
        for integration in INTEGRATIONS.values():
            if integration.problem() is None:
                integration.attach()
    return config
