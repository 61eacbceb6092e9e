"""Tasks given to joblib carry what they were sent from: the fit they are part of, or else where to record their own.

``Parallel(...)(tasks)`` is the one place where this is hooked: whatever thread, process or machine then runs a task, the
task itself knows.
"""

from __future__ import annotations

import functools
import importlib
import operator
import os
import pickle
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
    """Who has sent a task, and what it records with in another process, where the sender's autologging is not on."""

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
    sender: bytes | None  # a Sender, pickled once for all tasks


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
        level, _, observer, sender = self.context
        if observer is None and sender is None:
            return _INSIDE, ({"function": self.function, "inside": level},)
        return _RECEIVED, ({"function": self.function, "inside": level, "observer": observer, "sender": sender},)

    # Dask names its tasks by their functions, and counts how many different ones there are.

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and bool(self.function == other.function)

    def __hash__(self) -> int:
        return hash(self.function)


def inside_of(parts: Mapping[str, Any]) -> Task:
    """Rebuild a task of which nothing is to be recorded."""
    return Task(parts["function"], Context(parts["inside"], (), None, None))


class _Call:
    """A call that is made by whoever unpickles this, and stands for its result."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._parts = function, args

    def __call__(self, *args: Any) -> Any:
        return pickle.loads(pickle.dumps(self))(*args)  # `copy.copy` of a task comes here

    def __reduce__(self) -> tuple[Any, ...]:
        return self._parts


def _from_module(module: str, name: str, otherwise: Callable[..., Any]) -> _Call:
    """Pickle a function so that where its module is not loaded another one is found.

    A task may be sent to where no fitbook is, and runs there all the same. So it is pickled as calls of what every
    Python has, and these together as one, for that is faster.
    """
    modules = _Call(getattr, _Call(importlib.import_module, "sys"), "modules")
    found = _Call(getattr, _Call(_Call(getattr, modules, "get"), module), name, otherwise)
    return _Call(pickle.loads, pickle.dumps(found))


# Nothing is recorded inside of a fit, which need not be told to a process that has not loaded fitbook.
_INSIDE = _from_module("fitbook.autolog._tasks", "inside_of", operator.itemgetter("function"))
_IMPORT = """\
try:
    from fitbook.autolog._worker import received
except Exception:
    received = lambda parts: parts["function"]
"""
_RECEIVED = _from_module(
    "fitbook.autolog._worker", "received", functools.partial(eval, f"exec({_IMPORT!r}) or received(globals())")
)


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
    sender = None if inside.get() else pickle.dumps(_sender(config))
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
