"""Waiting for room: which callers wait, and what happens to the event."""

from __future__ import annotations

import threading

import pytest

from foxtrot_supervisor.engine.bus.event import Event, QueueFull
from foxtrot_supervisor.engine.bus.inbox import Inbox
from foxtrot_supervisor.engine.bus.queue import EventQueue


def make(limit: int = 2, wait_s: float = 0.05) -> Inbox:
    return Inbox(EventQueue(limit, {"eOrder.": "never_drop"}, limit), put_wait_s=wait_s, never_drop_wait_s=wait_s)


def test_events_are_taken_in_the_order_of_put() -> None:
    inbox = make()
    events = [Event("a"), Event("b")]
    assert [inbox.put(event, may_wait=False) for event in events] == [True, True]
    assert (len(inbox), bool(inbox)) == (2, True)
    assert list(inbox.take(10)) == events
    assert not inbox


def test_a_full_queue_drops_and_counts() -> None:
    inbox = make(limit=1)
    assert inbox.put(Event("a"), may_wait=True)
    assert not inbox.put(Event("a"), may_wait=True)
    assert inbox.counts().dropped_by_class == {"a": 1}
    assert inbox.waiting_by_class() == {"a": 1}


@pytest.mark.parametrize("may_wait", [True, False])
def test_an_event_that_must_not_be_dropped_is_refused(may_wait: bool) -> None:
    inbox = make(limit=1)
    assert inbox.put(Event("eOrder.1"), may_wait=False)
    with pytest.raises(QueueFull):
        inbox.put(Event("eOrder.2"), may_wait=may_wait)
    assert inbox.counts().refused == 1


def test_put_waits_until_an_event_was_taken() -> None:
    inbox = make(limit=1, wait_s=30.0)
    inbox.put(Event("a"), may_wait=False)
    results: list[bool] = []
    putter = threading.Thread(target=lambda: results.append(inbox.put(Event("b"), may_wait=True)))
    putter.start()
    taken: list[str] = []
    while putter.is_alive():
        taken += [event.type for event in inbox.take(1)]
        putter.join(0.01)
    taken += [event.type for event in inbox.take(1)]
    assert (results, taken) == ([True], ["a", "b"])


def test_the_rest_of_a_chunk_returns_to_the_head() -> None:
    inbox = make()
    inbox.put(Event("a"), may_wait=False)
    inbox.put(Event("b"), may_wait=False)
    chunk = inbox.take(2)
    assert next(chunk).type == "a"
    inbox.put_back()
    assert [event.type for event in inbox.take(2)] == ["b"]
