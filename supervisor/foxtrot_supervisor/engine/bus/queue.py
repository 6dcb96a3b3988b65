"""The queue before the handlers: bounded, with a policy for each class of events, counted exactly; pure.

Nothing here waits: `offer` returns whether there was room, and its caller decides whether to wait. Nothing locks
either: threads that share a queue must call one at a time (`inbox`), with one exception that makes `put` cheap: where
there is certainly room (`roomy_below`), any thread may append an event to `entries` at any time.

Events are dequeued in *chunks* of a bounded size; an event in flight, dequeued with its chunk and not yet handled,
counts as queued. So at any moment ``put = handled + conflated + dropped + queued``.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Hashable, Iterator, Mapping
from copy import copy
from itertools import repeat
from typing import Any, Protocol

from msgspec import Struct

from foxtrot_protocol.spec import NEVER_DROP_LIMIT
from foxtrot_supervisor.engine.bus.queue_policy import POLICIES, Policy, conflation_key, event_class, policy_of

__all__ = ["CHUNK_MAX", "EventQueue", "QueueCounts", "QueuedEvent"]

CHUNK_MAX = 256
"""Largest number of events dequeued at once."""

THREADS_MAX = 64
"""Threads that may pass the `roomy_below` check at the same moment without exceeding a limit."""

TYPES_MAX = 100_000
"""Limit of event types whose threshold is cached."""

CLASSES_MAX = 1000
"""Limit of event classes counted separately; further ones are counted as "other"."""


class QueuedEvent(Protocol):
    """Anything with a type and data, such as vn.py's events."""

    @property
    def type(self) -> str: ...

    @property
    def data(self) -> Any: ...


class QueueCounts(Struct, frozen=True):
    """Exact counts: ``put = handled + conflated + dropped + queued``.

    `handled`: drawn for dispatch. `refused`: `put` raised; not contained in the other counts.
    `conflated_by_class`, `dropped_by_class`: the same by event class.
    """

    put: int
    handled: int
    conflated: int
    dropped: int
    queued: int
    refused: int
    conflated_by_class: dict[str, int]
    dropped_by_class: dict[str, int]


class EventQueue:
    """Events in order of arrival.

    `limit`: number of waiting events at which there is no room for blocking events; separately, the number of symbols
    that may wait with a conflated event. `never_drop_limit`: number of waiting events at which there is no room even
    for events that must not be dropped.
    """

    def __init__(
        self,
        limit: int,
        policies: Mapping[str, Policy] = POLICIES,
        never_drop_limit: int = NEVER_DROP_LIMIT,
    ) -> None:
        self._policies = policies
        self._limits: dict[Policy, int] = {"block": limit, "never_drop": max(limit, never_drop_limit)}
        self._newest_limit = limit
        self.entries: deque[Any] = deque()
        """Waiting events, except conflated ones."""
        self.roomy_below: dict[str, int] = {}
        """By event type: number of `entries` below which there is certainly room."""
        self._newest: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        """By conflation key: the newest event, and the number of `entries` ever queued before it."""
        self._chunk: Iterator[Any] = iter([])
        self._entries_taken = 0
        self._taken = 0
        self._refused = 0
        self._conflated_by_class: Counter[str] = Counter()
        self._dropped_by_class: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self.entries) + len(self._newest) + self._in_flight()

    def offer(self, event: QueuedEvent) -> bool:
        """Queue `event`, or return False, changing nothing, if there is no room."""
        policy = policy_of(self._policies, event.type)
        if policy == "conflate":
            key = conflation_key(event.type, event.data)
            if key is not None:
                return self._offer_newest(event, key)
            policy = "block"
        elif event.type not in self.roomy_below:
            if len(self.roomy_below) >= TYPES_MAX:
                self.roomy_below.clear()
            self.roomy_below[event.type] = self._limits[policy] - CHUNK_MAX - THREADS_MAX
        if len(self.entries) + self._in_flight() >= self._limits[policy]:
            return False
        self.entries.append(event)
        return True

    def drop(self, event: QueuedEvent) -> None:
        """Count `event` as put and dropped."""
        _count(self._dropped_by_class, event.type)

    def refuse(self) -> None:
        """Count an event that was returned to its sender by an exception."""
        self._refused += 1

    def policy_of(self, type: str) -> Policy:  # noqa: A002 - vn.py's name
        """Return the policy of events of `type`."""
        return policy_of(self._policies, type)

    def take(self, most: int = CHUNK_MAX) -> Iterator[Any]:
        """Dequeue the next events, `most` (at most `CHUNK_MAX`) at once; each counts as queued until it is drawn.

        Call it only when the last chunk is exhausted or was put back.
        """
        chunk: list[Any] = []
        while self._newest and len(chunk) < most:
            event, before = next(iter(self._newest.values()))
            due = before - self._entries_taken
            if due > 0:
                self._take_entries(chunk, min(due, most - len(chunk)))
            else:
                chunk.append(event)
                self._newest.popitem(last=False)
        self._take_entries(chunk, min(len(self.entries), most - len(chunk)))
        self._taken += len(chunk)
        self._chunk = iter(chunk)
        return self._chunk

    def put_back(self) -> None:
        """Return what is left of the chunk in flight to the head of the queue."""
        events = list(self._chunk)
        self._taken -= len(events)
        self._entries_taken -= len(events)
        self.entries.extendleft(reversed(events))

    def counts(self) -> QueueCounts:
        """Return a consistent snapshot of all counts."""
        in_flight = self._in_flight()
        queued = len(self.entries) + len(self._newest) + in_flight
        handled = self._taken - in_flight
        conflated, dropped = self._conflated_by_class.total(), self._dropped_by_class.total()
        return QueueCounts(
            put=handled + conflated + dropped + queued,
            handled=handled,
            conflated=conflated,
            dropped=dropped,
            queued=queued,
            refused=self._refused,
            conflated_by_class=dict(self._conflated_by_class),
            dropped_by_class=dict(self._dropped_by_class),
        )

    def waiting_by_class(self) -> dict[str, int]:
        """Return how many events of each class wait, in flight and in the queue."""
        # copies: of the iterator, to draw nothing from it; of the queue, since other threads may append
        waiting = [*copy(self._chunk), *self.entries.copy(), *(event for event, _ in self._newest.values())]
        return dict(Counter(event_class(event.type) for event in waiting))

    def _in_flight(self) -> int:
        return self._chunk.__length_hint__()  # type: ignore[attr-defined,no-any-return] # list iterators have it

    def _take_entries(self, chunk: list[Any], count: int) -> None:
        # one by one instead of copying and clearing: other threads may append meanwhile
        chunk.extend(map(deque.popleft, repeat(self.entries, count)))
        self._entries_taken += count

    def _offer_newest(self, event: QueuedEvent, key: Hashable) -> bool:
        entry = (event, self._entries_taken + len(self.entries))
        older = self._newest.pop(key, None)
        if older is None and len(self._newest) >= self._newest_limit:
            return False
        self._newest[key] = entry
        if older is not None:
            _count(self._conflated_by_class, event.type)
        return True


def _count(by_class: Counter[str], type: str) -> None:  # noqa: A002 - vn.py's name
    name = event_class(type)
    by_class[name if name in by_class or len(by_class) < CLASSES_MAX else "other"] += 1
