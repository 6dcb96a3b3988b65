"""The queue against a simple model, over many seeded histories."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from foxtrot_supervisor.engine.bus.queue import CHUNK_MAX, CLASSES_MAX, EventQueue
from foxtrot_supervisor.engine.bus.queue_policy import event_class


@dataclass(frozen=True)
class Data:
    number: int
    symbol: str | None = None


@dataclass(frozen=True, eq=False)
class Event:
    type: str
    data: Any = None


def take_all(queue: EventQueue, most: int = CHUNK_MAX) -> list[Event]:
    taken: list[Event] = []
    while hand := list(queue.take(most)):
        taken.extend(hand)
    return taken


def test_order_is_kept() -> None:
    queue = EventQueue(1000)
    events = [Event(f"e{number % 3}") for number in range(700)]
    assert all(queue.offer(event) for event in events)
    assert take_all(queue) == events


def test_a_full_queue_has_no_room_for_events_that_block() -> None:
    queue = EventQueue(3)
    assert [queue.offer(Event("e")) for _ in range(4)] == [True, True, True, False]
    assert len(queue) == 3
    assert queue.counts().put == 3, "what found no room was not put"
    queue.drop(Event("e.x"))
    counts = queue.counts()
    assert (counts.put, counts.dropped, counts.dropped_by_class) == (4, 1, {"e.": 1})


def test_events_that_must_not_be_dropped_have_room_where_others_have_none() -> None:
    queue = EventQueue(3, never_drop_limit=5)
    assert [queue.offer(Event("e")) for _ in range(4)] == [True, True, True, False]
    assert [queue.offer(Event("eOrder.")) for _ in range(3)] == [True, True, False]
    queue.refuse()
    counts = queue.counts()
    assert (counts.put, counts.refused, counts.dropped) == (5, 1, 0)


def test_events_in_flight_count_as_queued_and_take_room() -> None:
    queue = EventQueue(3)
    for _ in range(3):
        queue.offer(Event("e"))
    hand = queue.take()
    assert (len(queue), queue.counts().handled) == (3, 0)
    assert not queue.offer(Event("e"))
    next(hand)
    assert (len(queue), queue.counts().handled, queue.counts().queued) == (2, 1, 2)
    assert queue.offer(Event("e"))


def test_only_the_newest_of_a_symbol_waits_where_it_was_put() -> None:
    queue = EventQueue(10)
    first, order, second, other = (
        Event("eTick.", Data(1, "BTC")),
        Event("eOrder."),
        Event("eTick.", Data(2, "BTC")),
        Event("eTick.", Data(3, "ETH")),
    )
    for event in (first, order, second, other):
        assert queue.offer(event)
    assert len(queue) == 3
    assert queue.waiting_by_class() == {"eOrder.": 1, "eTick.": 2}
    assert take_all(queue) == [order, second, other]
    counts = queue.counts()
    assert (counts.put, counts.handled, counts.conflated) == (4, 3, 1)
    assert counts.conflated_by_class == {"eTick.": 1}


def test_ticks_without_a_symbol_are_not_conflated() -> None:
    queue = EventQueue(2)
    assert [queue.offer(Event("eTick.", number)) for number in range(3)] == [True, True, False]


def test_symbols_are_bounded_apart_from_other_events() -> None:
    queue = EventQueue(2)
    assert [queue.offer(Event("eTick.", Data(1, symbol))) for symbol in "ABCA"] == [True, True, False, True]
    assert [queue.offer(Event("e")) for _ in range(3)] == [True, True, False]


def test_memory_is_bounded_under_a_flood_without_a_reader() -> None:
    queue = EventQueue(100)
    for number in range(50_000):
        queue.offer(Event("eTick.", Data(number, f"S{number % 7}")))
    assert len(queue) == 7
    assert len(queue._newest) == 7
    assert [event.data.number for event in take_all(queue)] == list(range(49_993, 50_000))
    assert queue.counts().conflated == 49_993


def test_events_put_back_are_taken_first() -> None:
    queue = EventQueue(100)
    events = [Event("e", number) for number in range(5)] + [Event("eTick.", Data(5, "A")), Event("e", 6)]
    for event in events:
        queue.offer(event)
    hand = queue.take()
    assert [next(hand) for _ in range(2)] == events[:2]
    late = Event("eTick.", Data(7, "B"))
    queue.offer(late)
    queue.put_back()
    assert queue.counts().handled == 2
    assert take_all(queue, 1) == [*events[2:], late]
    assert queue.counts().queued == 0


def test_counted_classes_are_bounded() -> None:
    queue = EventQueue(1)
    for number in range(CLASSES_MAX + 50):
        queue.drop(Event(f"e{number}.x"))
    by_class = queue.counts().dropped_by_class
    assert len(by_class) == CLASSES_MAX + 1
    assert by_class["other"] == 50


def test_cached_types_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.engine.bus.queue.TYPES_MAX", 10)
    queue = EventQueue(100)
    for number in range(35):
        queue.offer(Event(f"eOrder.{number}"))
    assert len(queue.roomy_below) <= 10
    assert len(take_all(queue)) == 35


def test_roomy_below_never_allows_a_limit_to_be_exceeded() -> None:
    queue = EventQueue(1000)
    queue.offer(Event("e"))
    queue.offer(Event("eTick.", Data(1, "A")))
    assert queue.roomy_below == {"e": 1000 - CHUNK_MAX - 64}, "conflated events always ask"


@pytest.mark.parametrize("seed", range(60))
def test_any_history_keeps_order_newest_and_counts(seed: int) -> None:
    rng = random.Random(seed)
    limit, never_drop_limit = rng.choice([1, 5, 50]), 60
    queue = EventQueue(limit, never_drop_limit=never_drop_limit)
    number = itertools.count()
    put: list[Event] = []
    dropped: list[Event] = []
    refused = 0
    seen: list[Event] = []
    hand = iter(queue.take())
    for _ in range(600):
        action = rng.random()
        if action < 0.7:
            kind = rng.choice(["eTick.", "eTick.A.SIM", "eOrder.", "e", "eBbo."])
            symbol = rng.choice("ABC") if kind in ("eTick.", "eTick.A.SIM", "eBbo.") else None
            event = Event(kind, Data(next(number), symbol))
            if queue.offer(event):
                put.append(event)
            elif queue.policy_of(kind) == "never_drop":
                queue.refuse()
                refused += 1
            else:
                queue.drop(event)
                dropped.append(event)
        elif action < 0.95:
            event = next(hand, None)
            if event is None:
                hand = queue.take(rng.randint(1, 5))
            else:
                seen.append(event)
        else:
            queue.put_back()
            hand = queue.take(rng.randint(1, 5))
        counts = queue.counts()
        assert counts.put == len(put) + len(dropped)
        assert counts.handled == len(seen)
        assert counts.dropped == len(dropped)
        assert counts.refused == refused
        assert counts.queued == len(queue) == sum(queue.waiting_by_class().values())
        assert counts.put == counts.handled + counts.conflated + counts.dropped + counts.queued
        assert counts.queued <= max(limit, never_drop_limit) + 3 * limit + 5
    seen.extend(hand)
    seen.extend(take_all(queue))
    numbers = [event.data.number for event in seen]
    assert numbers == sorted(numbers), "a part of what was put, in the same order"
    assert len(set(numbers)) == len(numbers)
    lost = {event.data.number for event in put} - set(numbers)
    by_number = {event.data.number: event for event in put}
    assert all(queue.policy_of(by_number[lost_one].type) == "conflate" for lost_one in lost)
    assert queue.counts().conflated == len(lost)
    newest = {(event.type, event.data.symbol): event.data.number for event in put if event.data.symbol}
    assert set(newest.values()) <= set(numbers), "the newest of each symbol is always seen"
    assert Counter(event_class(by_number[one].type) for one in lost) == queue.counts().conflated_by_class
