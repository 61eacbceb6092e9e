"""Tasks given to joblib carry what they were sent from: the fit they are part of, or else where to record their own.

``Parallel(...)(tasks)`` is the one place where this is hooked: whatever thread, process or machine then runs a task, the
task itself knows.
"""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import cloudpickle

from fitbook.autolog._config import Config
from fitbook.autolog._guard import inside, quietly
from fitbook.autolog._record import borrowed
from fitbook.autolog._session import recording, without_frame
from fitbook.tracking import _active
from fitbook.tracking._backend import current_experiment_id, get_tracking_uri

if TYPE_CHECKING:
    from fitbook.autolog._integration import Integration


class Observer(Protocol):
    """What a record has with the tasks that are run for it, in whatever process that is; can be pickled."""

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call ``function(*args, **kwargs)`` and give what it returns or raises."""


class Sender(NamedTuple):
    """What a task records with where the sender's autologging is not on: in another process."""

    node: str
    pid: int
    config: bytes  # nothing if no option is set
    uri: str
    experiment_id: str
    run: tuple[str, str] | None  # the active one: the URI of its store, and its id


class Context(NamedTuple):
    """What the tasks of one Parallel are sent from."""

    inside: int
    stack: _active.Stack
    observer: Observer | None
    sender: Sender | None


class Task:
    """A function that is called as if in the context that it was sent from.

    To joblib and its back-ends it looks like the function itself. In other processes it is rebuilt by
    `_worker.received`.
    """

    __slots__ = ("context", "function")

    def __init__(self, function: Callable[..., Any], context: Context) -> None:
        self.function, self.context = function, context

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        context = self.context
        level, stack = inside.get(), _active.stack()
        elsewhere = level != context.inside or stack is not context.stack
        tokens: list[tuple[ContextVar[Any], Token[Any]]] = []
        if elsewhere:
            tokens.append((inside, inside.set(context.inside)))
            _active.set_stack(context.stack)
        if context.observer is not None or elsewhere:
            tokens.append((recording, recording.set(None)))
        try:
            if context.observer is not None:
                return context.observer.run(self.function, args, kwargs)
            return self.function(*args, **kwargs)
        except BaseException as error:
            without_frame(error)
            raise
        finally:
            if elsewhere:
                _active.set_stack(stack)
            for variable, token in tokens:
                variable.reset(token)

    def __reduce__(self) -> tuple[Any, ...]:
        context = self.context
        # Inside of a fit nothing is recorded, which nobody needs to tell a process that knows nothing of fitbook.
        needed = context.observer is not None or context.sender is not None
        return _REBUILD, (self.function, needed, context.inside, context.observer, context.sender)

    # Dask names its tasks by their functions, and counts how many different ones there are.

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and bool(self.function == other.function)

    def __hash__(self) -> int:
        return hash(self.function)


class _Rebuild:
    """Makes a task from its parts; pickled as its own source, for a worker without fitbook runs the task all the same."""

    _SOURCE = """\
def rebuild(function, needed, *context):
    import sys
    if needed or "fitbook.autolog._tasks" in sys.modules:
        try:
            from fitbook.autolog._worker import received
        except Exception:
            pass
        else:
            return received(function, *context)
    return function
"""

    def __call__(self, *args: Any) -> Any:
        names: dict[str, Any] = {}
        exec(self._SOURCE, names)
        return names["rebuild"](*args)

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (f"exec({self._SOURCE!r}, names := {{}}) or names['rebuild']",)


_REBUILD = _Rebuild()


class _Sized:
    """Tasks of which it is known how many they are: joblib asks."""

    def __init__(self, tasks: Any, context: Context) -> None:
        self._tasks, self._context = tasks, context

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Any]:
        return _carrying(self._tasks, self._context)


def hook_parallel(original: Callable[..., Any], integration: Integration) -> Callable[..., Any]:
    """Wrap the running of a joblib.Parallel, so that its tasks carry what it was called inside of."""

    @functools.wraps(original)
    def __call__(self: Any, iterable: Any) -> Any:
        with quietly("giving the tasks of a Parallel their context"):
            iterable = _with_context(self, iterable, integration.config)
        try:
            return original(self, iterable)
        except BaseException as error:
            without_frame(error)
            raise

    return __call__


def _with_context(parallel: Any, iterable: Any, config: Config | None) -> Any:
    if config is None or not isinstance(iterable, Iterable):
        return iterable
    record = recording.get()
    observer = record.observer() if record is not None and hasattr(record, "observer") else None
    if observer is None and parallel.n_jobs == 1 and type(parallel._backend).__module__.startswith("joblib._parallel"):
        return iterable  # run one after the other, right here
    sender = None if inside.get() else _sender(config)
    context = Context(inside.get(), _active.stack(), observer, sender)
    return _Sized(iterable, context) if hasattr(iterable, "__len__") else _carrying(iterable, context)


def _sender(config: Config) -> Sender:
    run = _active.innermost()
    return Sender(
        platform.node(),
        os.getpid(),
        b"" if config == Config() else cloudpickle.dumps(config),
        get_tracking_uri(),
        current_experiment_id(),
        borrowed.get() if run is None else (run.backend.uri, run.run_id),
    )


def _carrying(tasks: Iterable[Any], context: Context) -> Iterator[Any]:
    # A `map`, not a generator: an error that the user's generator raises has no frame of ours in its traceback.
    return map(functools.partial(_wrapped, context), tasks)


def _wrapped(context: Context, task: Any) -> Any:
    try:
        function, args, kwargs = task
    except (TypeError, ValueError):
        return task  # nothing that joblib can run: it says so itself
    return Task(function, context), args, kwargs
