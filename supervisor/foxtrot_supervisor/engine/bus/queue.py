"""The queue before the handlers: bounded, with a policy for each class of events, counted exactly; pure.

Nothing here waits: `offer` returns whether there was room, and its caller decides whether to wait. Nothing locks
either: threads that share a queue must call one at a time (`inbox`), with one exception that makes `put` cheap: where
there is room for sure (`roomy_below`), any thread may append an event to `entries` at any time.

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
"""Most events dequeued at once."""

THREADS_MAX = 64
"""Threads that may find the last sure room at the same moment without exceeding a limit."""

TYPES_MAX = 100_000
"""Event types whose policy is remembered."""

CLASSES_MAX = 1000
"""Event classes that are counted apart; later ones are counted under "other"."""


class QueuedEvent(Protocol):
    """What can be queued: vn.py's events can, too."""

    @property
    def type(self) -> str: ...

    @property
    def data(self) -> Any: ...


class QueueCounts(Struct, frozen=True):
    """``put = handled + conflated + dropped + queued``, exactly.

    `handled`: their turn has come. `refused`: `put` raised; these are in none of the others.
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

    `limit`: how many may wait before events that block find no room; also, apart from these, how many symbols may
    wait with a conflated event. `never_drop_limit`: how many may wait before events find none that must not be dropped.
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
        """All but conflated events."""
        self.roomy_below: dict[str, int] = {}
        """By type: with fewer `entries` than this there is room for sure."""
        self._newest: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        """Conflated events, each with how many of `entries` came before it, counted from the beginning."""
        self._chunk: Iterator[Any] = iter([])
        self._entries_taken = 0
        self._taken = 0
        self._refused = 0
        self._conflated_by_class: Counter[str] = Counter()
        self._dropped_by_class: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self.entries) + len(self._newest) + self._in_flight()

    def offer(self, event: QueuedEvent) -> bool:
        """Queue `event`; False if there is no room, and then nothing has changed."""
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
        """Count an event that its putter was given back."""
        self._refused += 1

    def policy_of(self, type: str) -> Policy:  # noqa: A002 - vn.py's name
        """The policy of events of `type`."""
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
        """All counts, of one moment."""
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
        # copies: of the iterator, so that nothing is drawn; of the queue, since others may append
        waiting = [*copy(self._chunk), *self.entries.copy(), *(event for event, _ in self._newest.values())]
        return dict(Counter(event_class(event.type) for event in waiting))

    def _in_flight(self) -> int:
        return self._chunk.__length_hint__()  # type: ignore[attr-defined,no-any-return] # of every list iterator

    def _take_entries(self, chunk: list[Any], count: int) -> None:
        # one by one, not all at once and cleared: others may append meanwhile
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
