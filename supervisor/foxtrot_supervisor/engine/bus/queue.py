"""The queue before the handlers: bounded, with a policy for each class of events, counted exactly; pure.

Nothing here waits: `offer` says whether there was room, and its caller decides whether to wait. Nothing locks either:
whoever shares a queue between threads lets one at a time in, with one exception that makes `put` cheap: where there
is room for sure (`roomy_below`), an event may be appended to `entries` by any thread at any time.

Events leave in *hands*, a bounded number at a time; what is in the hand still counts as queued until its turn has
come. So at any moment ``put = handled + conflated + dropped + queued``.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Hashable, Iterator, Mapping
from copy import copy
from itertools import repeat
from typing import Any, Protocol

from msgspec import Struct

from foxtrot_supervisor.engine.bus.queue_policy import POLICIES, Policy, conflation_key, event_class, policy_of

__all__ = ["HAND_MAX", "NEVER_DROP_LIMIT", "EventQueue", "QueueCounts", "QueuedEvent"]

HAND_MAX = 256
"""Events that leave the queue at once, at most."""

THREADS_MAX = 64
"""Threads that may all find the last bit of sure room at the same moment and still not exceed a limit."""

NEVER_DROP_LIMIT = 1_000_000
"""Events that may wait, all together, before one is refused that must not be dropped."""

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
        self._hand: Iterator[Any] = iter([])
        self._entries_taken = 0
        self._taken = 0
        self._refused = 0
        self._conflated_by_class: Counter[str] = Counter()
        self._dropped_by_class: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self.entries) + len(self._newest) + self._in_hand()

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
            self.roomy_below[event.type] = self._limits[policy] - HAND_MAX - THREADS_MAX
        if len(self.entries) + self._in_hand() >= self._limits[policy]:
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

    def take(self, most: int = HAND_MAX) -> Iterator[Any]:
        """The next events, `most` (at most `HAND_MAX`) at once; they count as queued until they are drawn from it.

        Only when the last hand has been drawn empty or was put back.
        """
        hand: list[Any] = []
        while self._newest and len(hand) < most:
            event, before = next(iter(self._newest.values()))
            due = before - self._entries_taken
            if due > 0:
                self._take_entries(hand, min(due, most - len(hand)))
            else:
                hand.append(event)
                self._newest.popitem(last=False)
        self._take_entries(hand, min(len(self.entries), most - len(hand)))
        self._taken += len(hand)
        self._hand = iter(hand)
        return self._hand

    def put_back(self) -> None:
        """Return what is left in the hand to its place, the head of the queue."""
        events = list(self._hand)
        self._taken -= len(events)
        self._entries_taken -= len(events)
        self.entries.extendleft(reversed(events))

    def counts(self) -> QueueCounts:
        """All counts, of one moment."""
        in_hand = self._in_hand()
        queued = len(self.entries) + len(self._newest) + in_hand
        handled = self._taken - in_hand
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
        """How many events of each class wait, in the hand and in the queue."""
        # copies: of an iterator, since it has its place and draws nothing; of the queue, since others may append
        waiting = [*copy(self._hand), *self.entries.copy(), *(event for event, _ in self._newest.values())]
        return dict(Counter(event_class(event.type) for event in waiting))

    def _in_hand(self) -> int:
        return self._hand.__length_hint__()  # type: ignore[attr-defined,no-any-return] # of every list iterator

    def _take_entries(self, hand: list[Any], count: int) -> None:
        # one by one, not all at once and cleared: others may append meanwhile
        hand.extend(map(deque.popleft, repeat(self.entries, count)))
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
