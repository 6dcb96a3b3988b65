"""Looks at what runs in each EventEngine of this process, on one thread for all of them.

A handler that is slow can only be seen while it is slow from another thread than its own. There is one for the whole
process, from the first call of a handler to the end of the last engine. It is a daemon: it holds nothing and changes
nothing outside, so nothing can be cut off in it.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ["LOOK_S", "HandlerWatch", "Watched"]

LOOK_S = 0.05
"""How often the running handlers are looked at."""

END_S = 1.0
"""How long the end of the thread is waited for."""


class Watched(Protocol):
    """Something with a handler that may be slow."""

    def look(self, now: float) -> None:
        """Look at the running handler; `now` in monotonic seconds. Must not wait for it."""


class HandlerWatch:
    """Calls `look` of all that is watched, every `LOOK_S` seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: tuple[Watched, ...] = ()
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    def add(self, watched: Watched) -> bool:
        """Watch `watched`, too; False where no thread can be had, as when the interpreter is ending."""
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
        """Watch it no more; the thread ends with the last."""
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
