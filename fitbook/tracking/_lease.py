"""Keeping the runs alive that this process has open: one thread renews the leases of all.

A run whose process dies is made FAILED when its lease runs out (`Store.end_dead_runs`). The thread starts with the first
run, for nothing else would wake this process during a long fit; it sleeps from one renewal to the next, and ends when
it finds no run open. It does not run during a fork, and a forked process has no part in the runs of its parent.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Mapping

from fitbook import settings
from fitbook._log import logger
from fitbook.entities import RunDraft, RunStatus
from fitbook.store import Store, patience

# Of three renewals, two may fail.
_PER_LEASE = 3
# How long the end of the program, or a fork, waits for a renewal that is under way.
_JOIN_SECONDS = 0.5


class Leases:
    """The runs that this process has open; safe to use from several threads."""

    _thread: threading.Thread | None

    def __init__(self) -> None:
        self._start_over()

    def begin(self, store: Store, draft: RunDraft) -> None:
        """Write a run, and keep it alive from now on."""
        draft.lease_seconds = settings.RUN_LEASE.get()
        store.create_runs([draft])
        self._hold(store, draft.run_id, draft.lease_seconds)

    def seconds(self) -> float:
        """How long the lease of a run is that this process begins."""
        return settings.RUN_LEASE.get()

    def keep(self, store: Store, run_id: str) -> None:
        """Keep a run alive from now on that was written with a lease of `seconds`."""
        self._hold(store, run_id, self.seconds())

    def resume(
        self, store: Store, run_id: str, run_name: str | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        """Make a run RUNNING again, and keep it alive from now on."""
        seconds = settings.RUN_LEASE.get()
        store.update_run(run_id, status=RunStatus.RUNNING, run_name=run_name, tags=tags, lease_seconds=seconds)
        self._hold(store, run_id, seconds)

    def release(self, store: Store, run_id: str) -> None:
        """Keep a run alive no more, for it has ended, or nobody here is left who would end it."""
        with self._lock:
            self._drop(store, run_id)

    def renew(self) -> None:
        """Renew all leases now; runs that somebody else has ended are let go of."""
        with self._lock:
            held, seconds = {store: dict(runs) for store, runs in self._held.items()}, self._seconds
        for store, runs in held.items():
            try:
                with patience(seconds / _PER_LEASE):
                    alive = set(store.renew_leases(list(runs), seconds))
            except Exception as error:
                logger.debug("leases could not be renewed: %s", error)
                continue
            with self._lock:
                for run_id in runs.keys() - alive:
                    # Unless it has been resumed here since.
                    if self._held.get(store, {}).get(run_id) is runs[run_id]:
                        self._drop(store, run_id)

    def stop(self) -> None:
        """End the thread; the next run that begins starts it again."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_SECONDS)

    def go_on(self) -> None:
        """Start the thread again after `stop`, if a run is open."""
        with self._lock:
            if self._held and self._thread is None:
                self._start()

    def forget(self) -> None:
        """Let go of all runs, as a forked process does with those of its parent."""
        self.stop()
        self._start_over()

    def _start_over(self) -> None:
        # Reentrant, for a signal handler may begin a run, or fork, in the middle of any of this.
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread = None
        # The object stands for one time of having the run open.
        self._held: dict[Store, dict[str, object]] = {}
        self._seconds = self._due = 0.0

    def _hold(self, store: Store, run_id: str, seconds: float) -> None:
        due = time.monotonic() + seconds / _PER_LEASE
        with self._lock:
            self._held.setdefault(store, {})[run_id] = object()
            self._seconds = seconds
            if self._thread is None:
                self._due = due
                self._start()
            elif due < self._due:  # the setting has changed
                self._due = due
                self._wake.set()

    def _drop(self, store: Store, run_id: str) -> None:
        runs = self._held.get(store, {})
        runs.pop(run_id, None)
        if not runs:
            self._held.pop(store, None)

    def _start(self) -> None:
        # Each thread has its own event, so that one that was told to stop can't miss it.
        self._wake = threading.Event()
        thread = threading.Thread(target=self._loop, args=(self._wake,), name="fitbook-leases", daemon=True)
        # At interpreter exit no thread can be started any more; nor does a run last much longer then.
        with contextlib.suppress(RuntimeError):
            thread.start()
            self._thread = thread

    def _loop(self, wake: threading.Event) -> None:
        me = threading.current_thread()
        while True:
            wake.wait(max(0.0, self._due - time.monotonic()))
            with self._lock:
                if self._wake is wake:
                    wake.clear()
                if self._thread is not me:
                    return
                if time.monotonic() < self._due:
                    continue
                if not self._held:
                    self._thread = None
                    return
                self._due = time.monotonic() + self._seconds / _PER_LEASE
            self.renew()


leases = Leases()
os.register_at_fork(before=leases.stop, after_in_parent=leases.go_on, after_in_child=leases._start_over)
