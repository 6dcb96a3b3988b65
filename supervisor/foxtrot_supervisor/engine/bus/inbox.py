"""The queue of an EventEngine for several threads: a lock, and waiting for room."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from foxtrot_supervisor.engine.bus.event import Event, QueueFull
from foxtrot_supervisor.engine.bus.queue import EventQueue, QueueCounts

__all__ = ["Inbox"]


class Inbox:
    """Accepts events from any thread; the dispatch thread takes them.

    `put_wait_s`, `never_drop_wait_s`: time in seconds that `put` waits for room, for events that may be dropped and
    for those that must not.
    """

    def __init__(self, queue: EventQueue, *, put_wait_s: float, never_drop_wait_s: float) -> None:
        self._queue = queue
        self._put_wait_s = put_wait_s
        self._never_drop_wait_s = never_drop_wait_s
        # re-entrant: a signal handler or a finalizer may put an event while this thread holds it
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        self._waiting = 0

    def __bool__(self) -> bool:
        return bool(self._queue)

    def __len__(self) -> int:
        with self._lock:
            return len(self._queue)

    def put(self, event: Event, *, may_wait: bool) -> bool:
        """Queue `event`; with `may_wait`, wait for room.

        Returns False if there was no room: the event is dropped and counted. For an event that must not be dropped,
        `QueueFull` is raised instead.
        """
        with self._lock:
            if self._queue.offer(event):
                return True
            never_drop = self._queue.policy_of(event.type) == "never_drop"
            wait_s = self._never_drop_wait_s if never_drop else self._put_wait_s
            if may_wait:
                self._waiting += 1
                try:
                    if self._room.wait_for(lambda: self._queue.offer(event), wait_s):
                        return True
                finally:
                    self._waiting -= 1
            if not never_drop:
                self._queue.drop(event)
                return False
            self._queue.refuse()
        raise QueueFull(f"no room for an event {event.type!r} within {wait_s if may_wait else 0:g} s")

    def take(self, most: int) -> Iterator[Any]:
        """Take the next events, at most `most`; see `EventQueue.take`."""
        with self._lock:
            chunk = self._queue.take(most)
            if self._waiting:
                self._room.notify_all()
        return chunk

    def put_back(self) -> None:
        """Return the rest of the latest chunk to the head of the queue."""
        with self._lock:
            self._queue.put_back()

    def counts(self) -> QueueCounts:
        """Return a consistent snapshot of all counts."""
        with self._lock:
            return self._queue.counts()

    def waiting_by_class(self) -> dict[str, int]:
        """Return how many events of each class wait."""
        with self._lock:
            return self._queue.waiting_by_class()
