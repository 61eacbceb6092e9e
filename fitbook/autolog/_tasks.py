"""Tasks given to joblib carry what they were sent from: the fit they are part of, or else where to record their own.

``Parallel(...)(tasks)`` is the one place where this is hooked: whatever thread, process or machine then runs a task, the
task itself knows.
"""

from __future__ import annotations

import functools
import operator
import os
import pickle
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import cloudpickle

from fitbook import settings
from fitbook.autolog._config import Config
from fitbook.autolog._guard import inside, quietly
from fitbook.autolog._patch import unseen
from fitbook.autolog._portable import Call, function_if_loaded
from fitbook.autolog._record import borrowed
from fitbook.autolog._session import recording, without_frame
from fitbook.tracking import _active
from fitbook.tracking._backend import Place, patience, place

if TYPE_CHECKING:
    from fitbook.autolog._integration import Integration


class Observer(Protocol):
    """What a record has with the tasks that are run for it, in whatever process that is; can be pickled."""

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call ``function(*args, **kwargs)`` and give what it returns or raises."""


class Sending(Protocol):
    """What a record has with the tasks of one Parallel, before they are sent; never raises."""

    def sent(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Observer | None:
        """Give what observes one task, wherever it is run; None if nothing does."""


class Sender(NamedTuple):
    """Who has sent a task, and what it records with in another process, where the sender's autologging is not on."""

    node: str
    pid: int
    config: bytes  # nothing if no option is set
    place: Place
    run: tuple[str, str] | None  # the active one: the URI of its store, and its id


class Context(NamedTuple):
    """What the tasks of one Parallel are sent from."""

    inside: int
    stack: _active.Stack
    rebuild: Call  # what their pickles are rebuilt by


class Task:
    """A function that is called as if in the context that it was sent from.

    To joblib and its back-ends it looks like the function itself. In other processes it is rebuilt by
    `_worker.opened`.
    """

    __slots__ = ("context", "function", "observer")

    def __init__(self, function: Callable[..., Any], context: Context, observer: Observer | None) -> None:
        self.function, self.context, self.observer = function, context, observer

    @unseen
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        context, observer = self.context, self.observer
        level, stack = inside.get(), _active.stack()
        elsewhere = level != context.inside or stack is not context.stack
        tokens: list[tuple[ContextVar[Any], Token[Any]]] = []
        if elsewhere:
            tokens.append((inside, inside.set(context.inside)))
            _active.set_stack(context.stack)
        if elsewhere or hasattr(recording.get(), "observer"):
            tokens.append((recording, recording.set(None)))
        try:
            if observer is not None:
                return observer.run(self.function, args, kwargs)
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
        return self.context.rebuild, ((self.function, self.context.inside, self.observer),)

    # Dask names its tasks by their functions, and counts how many different ones there are.

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and bool(self.function == other.function)

    def __hash__(self) -> int:
        return hash(self.function)


def rebuilt_inside(parts: tuple[Callable[..., Any], int, Observer | None]) -> Task:
    """Rebuild a task that is part of a fit."""
    function, level, observer = parts
    return Task(function, Context(level, (), REBUILD_INSIDE), observer)


# A task may be sent to where no fitbook is, and runs there all the same: what rebuilds it takes the function out of its
# parts then. That nothing is recorded inside of a fit need not be told to a process that has not loaded fitbook.
REBUILD_INSIDE = function_if_loaded("fitbook.autolog._tasks", "rebuilt_inside", operator.itemgetter(0))
_IMPORT = """\
try:
    from fitbook.autolog._worker import opened
except Exception:
    opened = lambda parts: lambda parts: parts[0]
"""
_OPENED = function_if_loaded(
    "fitbook.autolog._worker", "opened", functools.partial(eval, f"exec({_IMPORT!r}) or opened(globals())")
)


def rebuild_from(sender: bytes | None) -> Call:
    """Make what rebuilds tasks: before their parts, so that methods are taken from models when those are hooked."""
    return Call(_OPENED, {"sender": sender})


class _Tasks:
    """Tasks that are wrapped one by one when joblib takes them."""

    def __init__(self, tasks: Any, wrap: Callable[[Any], Any]) -> None:
        self._tasks, self._wrap = tasks, wrap

    def __iter__(self) -> Iterator[Any]:
        try:
            # Not a generator: an error that the user's generator raises has no frame of ours in its traceback.
            return map(self._wrap, self._tasks)
        except BaseException as error:
            without_frame(error)
            raise


class _Sized(_Tasks):
    """Tasks of which it is known how many they are: joblib asks."""

    def __len__(self) -> int:
        return len(self._tasks)


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
    sending: Sending | None = record.observer() if record is not None and hasattr(record, "observer") else None
    if sending is None and parallel.n_jobs == 1 and type(parallel._backend).__module__.startswith("joblib._parallel"):
        return iterable  # run one after the other, right here
    if inside.get():
        # One of its own loads less of fitbook in workers.
        rebuild = REBUILD_INSIDE if sending is None else getattr(sending, "rebuild", None) or rebuild_from(None)
    else:
        rebuild = rebuild_from(pickle.dumps(_sender(config)))
    wrap = functools.partial(_wrapped, Context(inside.get(), _active.stack(), rebuild), sending)
    return (_Sized if hasattr(iterable, "__len__") else _Tasks)(iterable, wrap)


def _sender(config: Config) -> Sender:
    run = _active.innermost()
    with patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
        here = place()
    return Sender(
        platform.node(),
        os.getpid(),
        b"" if config == Config() else cloudpickle.dumps(config),
        here,
        borrowed.get() if run is None else (run.backend.uri, run.run_id),
    )


def _wrapped(context: Context, sending: Sending | None, task: Any) -> Any:
    try:
        function, args, kwargs = task
    except (TypeError, ValueError):
        return task  # nothing that joblib can run: it says so itself
    observer = None if sending is None else sending.sent(function, args, kwargs)
    return Task(function, context, observer), args, kwargs
