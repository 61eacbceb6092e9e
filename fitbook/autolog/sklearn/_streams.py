"""Streams: the calls of ``partial_fit`` that follow each other on one estimator are one run.

A call costs a look-up and a counter. Between two calls, once a second at most, is looked at what the stream has come to;
this never takes more than a twentieth of the time, and what is found is written in the background.

A stream is over when its estimator is fitted anew or is gone, when the run of the user's that it is in ends or is not the
active one any more, when autologging is turned off, and when the program ends.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import sys
import threading
import time
import weakref
from abc import ABC
from collections import deque
from collections.abc import Callable
from contextvars import Token
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from fitbook.autolog._config import Config
from fitbook.autolog._guard import RECORDED, inside, package_of, quietly, suppressed
from fitbook.autolog._integration import sent
from fitbook.autolog._session import Hook, in_worker, task_ends
from fitbook.autolog.sklearn import _describe, _links
from fitbook.autolog.sklearn._call import FitCall, fit_call
from fitbook.autolog.sklearn._known import is_data, is_known_class
from fitbook.autolog.sklearn._stream_record import TABLES, StreamRecord
from fitbook.entities import RunStatus
from fitbook.tracking import _active
from fitbook.tracking._writer import writer

if TYPE_CHECKING:
    from fitbook.autolog._integration import Integration
    from fitbook.tracking._run import ActiveRun

_LOOK_SECONDS = 1.0
_SHARE = 0.05  # of the time, for looking
_KEEP_SECONDS = 0.05
_MAX_DEAD = 8
_WORKER_SECONDS = 5.0

_streams: dict[int, Stream] = {}
# The classes that are not recorded, with the options that hold for that.
_left_out: weakref.WeakKeyDictionary[type, Config] = weakref.WeakKeyDictionary()


class Stream:
    """An estimator that learns bit by bit; it is not kept alive by this."""

    __slots__ = (
        "_calls",
        "_checked",
        "_cls",
        "_exclusive",
        "_keep",
        "_keeps",
        "_lock",
        "_look",
        "_over",
        "_state",
        "_tables",
        "closed",
        "record",
        "reference",
        "run",
        "thread",
    )

    def __init__(self, config: Config, estimator: Any) -> None:
        self.reference = weakref.ref(estimator, functools.partial(_gone, id(estimator)))
        self.run = _active.innermost()
        self.thread = threading.get_ident()
        self._lock = threading.Lock()
        self._calls, self._over = 1, False  # calls under way: it begins with one
        self.record: StreamRecord | None = None
        self.closed = threading.Event()
        self._look = self._keep = 0.0
        self._tables: type | None = None
        self._exclusive = config.exclusive
        # Of what it is made outlives the estimator, long enough for a snapshot: as of the last call, and data only.
        # An object of the user's might lead back to the estimator, and so keep it alive, or be needed by a ``__del__``.
        self._cls = cls = type(estimator)
        self._keeps = all(is_known_class(base) for base in cls.__mro__ if base not in (ABC, object))
        self._checked = 0  # attributes
        self._state: dict[str, Any] | None = None

    def enter(self, estimator: Any) -> bool:
        """Let another call for an estimator begin; False if it does not belong to this stream."""
        if self.reference() is not estimator or not (self._exclusive or _active.innermost() is self.run):
            return False
        with self._lock:
            self._calls += not self._over
            self._state = None  # the call may need the memory
            return not self._over

    def leave(self, estimator: Any) -> None:
        """The call is over."""
        if self._keeps:
            try:
                self._hold(estimator)
            except Exception:
                with quietly("keeping the state of a stream"):
                    raise
        with self._lock:
            self._calls -= 1
            ends = self._over and not self._calls
        if ends:
            self._end()

    def _hold(self, estimator: Any) -> None:
        state = vars(estimator).copy()
        if len(state) != self._checked:
            self._checked = len(state)
            self._keeps = is_data(state.values())
        self._state = state if self._keeps else None

    def count(
        self,
        began: float,
        estimator: Any,
        original: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """Count a call that has returned; from time to time, look at what the stream has come to."""
        now = time.perf_counter()
        record = self.record
        if record is None:
            return
        X: Any = args[0] if args else kwargs.get("X")
        cls = type(X)
        if cls is self._tables or self._is_table(cls):
            record.rows += X.shape[0]
        else:
            record.rows += len(X) if cls is list or cls is tuple else math.nan
        record.calls += 1
        record.seconds += now - began
        record.status = RunStatus.FINISHED
        if now < self._keep:
            return
        self._checked = 0  # once more
        record.keep(fit_call(original, args, kwargs))
        if now >= self._look:
            record.look(estimator, _SHARE * _LOOK_SECONDS)
        cost = time.perf_counter() - now
        record.overhead += cost
        self._keep = now + max(_KEEP_SECONDS, cost / _SHARE)
        if now >= self._look:
            self._look = now + max(_LOOK_SECONDS, cost / _SHARE)

    def _is_table(self, cls: type) -> bool:
        if package_of(cls.__module__) in TABLES:
            self._tables = cls
        return cls is self._tables

    def lose(self) -> None:
        """Do without the model: the estimator is gone, and too many others are waiting."""
        self._state = None

    def close(self) -> None:
        """End it, or let the call end it that is under way; to be called by whoever took it out of the table."""
        with self._lock:
            self._over = True
            ends = not self._calls
        if ends or self.reference() is None:
            self._end()

    def _end(self) -> None:
        with quietly("ending the record of a stream"):
            estimator, state, self._state = self.reference(), self._state, None
            if estimator is None and state is not None:
                estimator = object.__new__(self._cls)
                object.__setattr__(estimator, "__dict__", state)
            if self.record is not None:
                self.record.close(estimator)


class Call:
    """One outermost call of ``partial_fit``."""

    __slots__ = ("_began", "_stream", "_token")

    def __init__(self, stream: Stream | None) -> None:
        self._stream = stream
        self._token: Token[int] | None = None
        self._began = 0.0

    def enter(self) -> None:
        """The call begins; what it calls is nothing of its own."""
        self._token = inside.set(RECORDED)
        self._began = time.perf_counter()

    def ended(
        self, estimator: Any, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """The call has returned."""
        self._leave()
        stream = self._stream
        if stream is not None:
            try:
                stream.count(self._began, estimator, original, args, kwargs)
            except Exception:
                with quietly("recording a stream"):
                    raise
            finally:
                stream.leave(estimator)

    def failed(self, estimator: Any, error: BaseException) -> None:
        """The call has raised."""
        self._leave()
        stream = self._stream
        if stream is None:
            return
        with quietly("recording a call of partial_fit that failed"):
            record = stream.record
            if record is not None and not record.calls:
                # There is nothing left to be ended.
                _streams.pop(id(estimator), None)
                stream.record = None
            if record is not None:
                record.raised(error)
        stream.leave(estimator)

    def _leave(self) -> None:
        if self._token is not None:
            inside.reset(self._token)


class StreamHook(Hook):
    """Decides about each call of ``partial_fit`` which stream it belongs to."""

    __slots__ = ("_integration",)

    def __init__(self, integration: Integration) -> None:
        self._integration = integration

    def begin(
        self, estimator: Any, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Call | None:
        """Find or begin the stream of an outermost call; None for any other call."""
        if inside.get():
            return None
        stream = _streams.get(id(estimator))
        if stream is None or not stream.enter(estimator):
            stream, config = None, self._integration.config
            if config is None:
                return None
            if _left_out.get(type(estimator)) is not config:
                with quietly("beginning the record of a stream"):
                    stream = _begin(config, estimator, fit_call(original, args, kwargs))
        return Call(stream)


def hook_partial_fit(original: Callable[..., Any], integration: Integration) -> Callable[..., Any]:
    """Wrap ``partial_fit`` so that its outermost calls are recorded as streams."""
    hook = StreamHook(integration)

    @functools.wraps(original)
    def partial_fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = hook and hook.begin(self, original, args, kwargs)
        try:
            if call:
                call.enter()
            result = original(self, *args, **kwargs)
        except BaseException as error:
            if call:
                call.failed(self, error)
            # As in hook_fit: no frame of ours in the user's traceback.
            BaseException.with_traceback(error, error.__traceback__ and error.__traceback__.tb_next)
            raise
        if call:
            call.ended(self, original, args, kwargs)
        return result

    return partial_fit


def fit_begins(estimator: Any) -> None:
    """End the stream of an estimator that is about to be fitted anew."""
    stream = _streams.get(id(estimator))
    if stream is not None and stream.reference() is estimator:
        _close(lambda other: other is stream)


def end_all() -> None:
    """End every stream."""
    _undertaker.bury()
    _close(lambda stream: True)


def _begin(config: Config, estimator: Any, call: FitCall) -> Stream | None:
    began = time.perf_counter()
    fit_begins(estimator)  # one that was for another run of the user's
    if not (_describe.is_model(estimator) and config.records(type(estimator))):
        _left_out[type(estimator)] = config
        return None
    stream = _streams[id(estimator)] = Stream(config, estimator)
    with suppressed():
        stream.record = StreamRecord(config, estimator, call)
    if config.log_post_training_metrics:
        _links.link(estimator, stream.record.run)
    writer.be_ready()
    _undertaker.be_ready()
    stream.record.overhead = time.perf_counter() - began
    return stream


def _close(which: Callable[[Stream], bool]) -> None:
    for number, stream in list(_streams.items()):
        # Whoever takes it out ends it: a moment later it may be gone by itself.
        if which(stream) and _streams.pop(number, None) is stream:
            stream.close()


class Undertaker:
    """Ends the streams whose estimators are gone.

    On a thread of its own, for garbage is collected at any moment, whatever locks are held then.
    """

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Begin anew, as in a forked process: the streams of its parent are none of its business."""
        _streams.clear()
        self._dead: deque[Stream] = deque()
        self._called: SimpleQueue[None] = SimpleQueue()  # the one queue that may be put to while it is put to
        self._burying = threading.RLock()
        self._by: int | None = None  # the thread that has it
        self._thread: threading.Thread | None = None

    def be_ready(self) -> None:
        """Start the thread."""
        if self._thread is None:
            thread = threading.Thread(target=self._loop, args=(self._called,), name="fitbook-streams", daemon=True)
            with contextlib.suppress(RuntimeError):  # the program is ending
                thread.start()
                self._thread = thread

    def call(self, stream: Stream) -> None:
        """Let a stream end whose estimator is gone."""
        if len(self._dead) >= _MAX_DEAD:
            stream.lose()
        self._dead.append(stream)
        self._called.put(None)
        if self._may_wait():
            stream.closed.wait(_WORKER_SECONDS)

    def _may_wait(self) -> bool:
        """Whether this is a Pool's worker, which may be ended as soon as its function has returned.

        Only for the function's own variables: garbage found by what the stream's end needs can't wait for that, and
        after a fit or a task of ours `finish_in_worker` waits.
        """
        process = sys.modules.get("multiprocessing.process")
        if process is None or process.parent_process() is None or not process.current_process().daemon:
            return False
        busy = (self._by, writer.thread_id)
        return not inside.get() and sent.get() is None and threading.get_ident() not in busy

    def bury(self) -> None:
        """End what is gone by now; who comes while that is being done waits."""
        with self._burying:
            before, self._by = self._by, threading.get_ident()
            try:
                while self._dead:
                    stream = self._dead.popleft()
                    stream.close()
                    if in_worker():
                        writer.flush()
                    stream.closed.set()
            finally:
                self._by = before

    def pause(self) -> None:
        """Wait before a fork until nothing is being buried: locks held for that, of imports say, would stay locked."""
        self._burying.acquire(timeout=_WORKER_SECONDS)

    def go_on(self) -> None:
        """The fork is done."""
        with contextlib.suppress(RuntimeError):  # it had waited in vain
            self._burying.release()

    def _loop(self, called: SimpleQueue[None]) -> None:
        while True:
            called.get()
            self.bury()


def _gone(number: int, _: object) -> None:
    stream = _streams.pop(number, None)
    if stream is not None and stream.record is not None:
        _undertaker.call(stream)


def _feed(ends: bool) -> None:
    """What the writer asks for what it is to write before somebody waits for it, or this process ends."""
    _undertaker.bury()
    for number in list(_streams) if ends else ():
        stream = _streams.pop(number, None)
        if stream is not None and in_worker():
            stream.close()
        elif stream is not None:
            # Snapshots may need imports, which have no place in an exit hook.
            writer.soon(stream.close)


def _task_ends() -> None:
    """End what this thread began: in a worker of several threads other tasks go on."""
    me = threading.get_ident()
    _close(lambda stream: stream.thread == me)


def _run_ends(run: ActiveRun) -> None:
    _close(lambda stream: stream.run is run)


_undertaker = Undertaker()
writer.feeds.append(_feed)
task_ends.append(_task_ends)
_active.taken_off.append(_run_ends)
os.register_at_fork(before=_undertaker.pause, after_in_parent=_undertaker.go_on, after_in_child=_undertaker.start_over)
