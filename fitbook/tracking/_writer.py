"""The background writer: draws figures and writes files after ``fit`` has returned.

One thread, two queues. *Soon* is written at once; *later* (figures, and the end of a run) waits until no fit has been
going on for a moment, so that a loop of fits does not share its interpreter with the drawing of figures. Both are
bounded together: what does not fit any more is done by the caller itself. Reading the record waits for `flush`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from fitbook import settings
from fitbook._log import logger

Job = Callable[[], None]

QUIET_SECONDS = 0.05
MAX_JOBS = 2000
# How long a fork waits for the job that is under way.
_JOIN_SECONDS = 5.0


class Writer:
    """Runs jobs in order, one at a time, on a thread of its own; a job that raises is logged and the next one runs."""

    _ends: float | None

    def __init__(self) -> None:
        # Called by `flush` with its ``ends``: who holds jobs back puts what is due, or all.
        self.feeds: list[Callable[[bool], None]] = []
        self._reset()
        self._finishes_early = False
        atexit.register(self._at_exit)
        os.register_at_fork(before=self._pause, after_in_parent=self._go_on, after_in_child=self._reset)

    def soon(self, job: Job, size: int = 0) -> None:
        """Run ``job``, which holds ``size`` bytes until then, as soon as the thread is free."""
        self._put(self._soon, job, size)

    def later(self, job: Job, size: int = 0) -> None:
        """Run ``job`` when no fit is going on, or when somebody waits for it; after everything put before."""
        self._put(self._later, job, size)

    def be_ready(self) -> None:
        """Start the thread, and have the end of this process wait for what is still to be put."""
        with self._changed:
            if not self._alive():
                self._start()

    @property
    def thread_id(self) -> int | None:
        """The thread that does the jobs, if it runs."""
        return None if self._thread is None else self._thread.ident

    def fit_begins(self) -> None:
        """Note that a fit is going on, until `fit_ends`."""
        with self._changed:
            self._fits += 1

    def fit_ends(self) -> None:
        """Note that a fit has come to its end."""
        with self._changed:
            self._fits -= 1
            self._last_fit = time.monotonic()

    def flush(self, timeout: float | None = None, *, ends: bool = False) -> bool:
        """Wait until everything put so far is done; False if ``timeout`` seconds were not enough.

        With ``ends``, this process may end now, so nothing is held back for later.
        """
        if self._worker == threading.get_ident():
            return True  # a job that reads the record can't wait for itself
        self._feed(ends=ends)
        if not self._unfinished:
            return True
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            try:
                while self._unfinished:
                    left = None if deadline is None else deadline - time.monotonic()
                    if (left is not None and left <= 0) or not self._alive():
                        break
                    self._changed.wait(left)
            finally:
                self._waiting -= 1
        if self._unfinished and (deadline is None or time.monotonic() < deadline):
            self._run_here()
        return not self._unfinished

    def catch_up(self) -> None:
        """Wait until what was put to be done `soon` is done."""
        self._feed(ends=False)
        if not self._unfinished or self._worker == threading.get_ident():
            return
        done = threading.Event()
        self.soon(done.set)
        while self._alive() and not done.wait(1):
            pass
        if not done.is_set():
            self.flush()

    def finish(self) -> bool:
        """Flush in what `atexit` calls; all calls together wait ``FITBOOK_EXIT_TIMEOUT`` seconds at most."""
        if self._ends is None:
            self._ends = time.monotonic() + settings.EXIT_TIMEOUT.get()
        return self.flush(max(0.0, self._ends - time.monotonic()), ends=True)

    def _reset(self) -> None:
        self._soon: deque[tuple[Job, int]] = deque()
        self._later: deque[tuple[Job, int]] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._unfinished = 0
        self._bytes = 0
        self._fits = 0
        self._waiting = 0
        self._last_fit = 0.0
        self._worker: int | None = None  # the thread that does a job now; jobs of jobs are done inside it
        self._depth = 0
        self._forks = 0  # that are under way, by whatever threads
        self._limit = int(settings.PENDING_MB.get() * 1e6)
        self._ends = None

    def _put(self, queue: deque[tuple[Job, int]], job: Job, size: int) -> None:
        # Who brings no bytes does not wait for those of others: a model that is larger than the limit would be written here.
        while self._unfinished and ((size and self._bytes + size > self._limit) or self._unfinished >= MAX_JOBS):
            if not self._step(wait=False):
                break
        with self._changed:
            queue.append((job, size))
            self._unfinished += 1
            self._bytes += size
            if not self._alive() and not self._forks:
                self._start()
            self._changed.notify_all()

    def _start(self) -> None:
        self._finish_while_threads_start()
        thread = threading.Thread(target=self._loop, name="fitbook-writer", daemon=True)
        # At interpreter exit no thread can be started any more; flush() then does the work itself.
        with contextlib.suppress(RuntimeError):
            thread.start()
            self._thread = thread
        process = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            # A process that multiprocessing forked ends without calling what atexit has.
            sys.modules["multiprocessing.util"].Finalize(None, self._at_exit, exitpriority=100)

    def _finish_while_threads_start(self) -> None:
        """Let the end of the main thread begin with a flush.

        What `atexit` has runs when no thread can be started any more, and a job for a remote place may need one, if only
        to look up a server's address.
        """
        import concurrent.futures.thread  # noqa: PLC0415, F401  # whose own end is registered first, and comes last

        register = getattr(threading, "_register_atexit", None)
        if register is not None and not self._finishes_early:
            self._finishes_early = True
            with contextlib.suppress(RuntimeError):  # it is the end already
                register(self._finish_early)

    def _feed(self, *, ends: bool) -> None:
        for feed in self.feeds:
            feed(ends)

    def _finish_early(self) -> None:
        if not self.flush(settings.EXIT_TIMEOUT.get(), ends=True):
            self._ends = time.monotonic()  # what `atexit` calls does not wait as long again

    def _alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _pause(self) -> None:
        """End the thread before a fork, after its job: the locks that it holds, such as an import's, would stay locked."""
        with self._changed:
            self._forks += 1
            thread = self._thread
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_SECONDS)

    def _go_on(self) -> None:
        with self._changed:
            self._forks -= 1
            if not self._forks and self._unfinished and not self._alive():
                self._start()

    def _loop(self) -> None:
        while self._step(wait=True):
            pass

    def _run_here(self) -> None:
        while self._step(wait=False):
            pass

    def _step(self, *, wait: bool) -> bool:
        """Do one job; False if there is none to take, or with ``wait`` if the thread is to end."""
        taken = self._take(wait)
        if taken is None:
            return False
        job, size = taken
        del taken
        try:
            job()
        except BaseException as error:
            logger.exception("a background write failed")
            if not isinstance(error, Exception) and threading.current_thread() is not self._thread:
                raise  # an interrupt of the user's
        finally:
            del job
            with self._changed:
                self._depth -= 1
                self._worker = self._worker if self._depth else None
                self._unfinished -= 1
                self._bytes -= size
                self._changed.notify_all()
        return True

    def _take(self, wait: bool) -> tuple[Job, int] | None:
        me = threading.get_ident()
        with self._changed:
            while True:
                if wait and self._forks:
                    self._thread = None
                    return None
                # One at a time, whoever does it: the end of a run must not overtake what belongs to the run.
                free = self._worker in (None, me)
                queue = self._soon or (self._later if not wait or self._is_quiet() else None)
                if free and queue:
                    self._worker, self._depth = me, self._depth + 1
                    return queue.popleft()
                if free and not wait:
                    return None
                self._changed.wait(QUIET_SECONDS if free and self._later else None)

    def _is_quiet(self) -> bool:
        return self._waiting > 0 or (self._fits <= 0 and time.monotonic() - self._last_fit > QUIET_SECONDS)

    def _at_exit(self) -> None:
        seconds = settings.EXIT_TIMEOUT.get()
        if not self.finish():
            logger.error(
                "%d writes were not finished %g seconds after the program's end and are lost; the runs that they "
                "belong to become FAILED. FITBOOK_EXIT_TIMEOUT allows more time.",
                self._unfinished,
                seconds,
            )
        _stay_interrupted()


def _stay_interrupted() -> None:
    """Let a program that ends by Ctrl-C end by that signal, though something has been compiled since (by SQLAlchemy)."""
    if getattr(sys, "last_type", None) is KeyboardInterrupt and not hasattr(sys, "ps1"):
        # Python ends so if the text that was run last was interrupted.
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")


writer = Writer()
