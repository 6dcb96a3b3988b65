"""Watch thread for slow handlers, one for all EventEngines of a process.

A handler that is still running can only be reported from another thread. The watch thread lives from the first call of
a handler to the end of the last engine. It is a daemon thread: it holds no resources, so it can be cut off anywhere.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ["LOOK_S", "HandlerWatch", "Watched"]

LOOK_S = 0.05
"""Interval of checking the running handlers."""

END_S = 1.0
"""Time to wait for the end of the thread."""


class Watched(Protocol):
    """Something that runs handlers which may be slow."""

    def look(self, now: float) -> None:
        """Check the running handler, without waiting for it. `now`: monotonic seconds."""


class HandlerWatch:
    """Calls `look` of every watched object at an interval of `LOOK_S`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: tuple[Watched, ...] = ()
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    def add(self, watched: Watched) -> bool:
        """Watch `watched` too; return False if no thread can be started, as at interpreter exit."""
        with self._lock:
            if watched not in self._watched:
                self._watched = (*self._watched, watched)
            if self._thread is None or not self._thread.is_alive():
                self._ending = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._ending,), name="event-engine-watch", daemon=True
                )
                try:
                    self._thread.start()
                except RuntimeError:
                    self._thread = None
            return self._thread is not None

    def remove(self, watched: Watched) -> None:
        """Stop watching `watched`; the thread ends with the last one."""
        with self._lock:
            self._watched = tuple(other for other in self._watched if other is not watched)
            if self._watched or self._thread is None:
                return
            self._ending.set()
            thread, self._thread = self._thread, None
        thread.join(END_S)

    def _run(self, ending: threading.Event) -> None:
        while not ending.wait(LOOK_S):
            for watched in self._watched:
                watched.look(time.monotonic())
