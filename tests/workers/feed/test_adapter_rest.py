"""Answers to an adapter's requests become events; failures reach the adapter as status 0 and the log."""

from __future__ import annotations

from typing import Any

import structlog
from structlog.testing import capture_logs

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import RestRequest, SnapshotRejected
from foxtrot_workers.feed.adapter_rest import AdapterRest
from tests.workers.feed.life import Plain

REQUEST = RestRequest("book", "/book", weight=5, delay_s=1.0)


class Books(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.answers: list[tuple[str, int]] = []

    def on_rest(self, path: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        self.answers.append((path, status))
        if body == b"garbage":
            raise ValueError("not a book")
        if body == b"empty" or status != 200:
            self.notices.append(SnapshotRejected("A@book", "A", "no levels"))
        else:
            out.append(body.decode())  # type: ignore[arg-type]


class World:
    """Stands in for the fetcher and the pipeline."""

    def __init__(self, *, refuse: bool = False) -> None:
        self.adapter = Books()
        self.refuse = refuse
        self.fetched: list[tuple[str, str, float, int]] = []
        self.events: list[Any] = []
        self.flushed: list[Any] = []
        self.notices = 0
        fake: Any = self
        self.rest = AdapterRest(self.adapter, fake, fake, structlog.get_logger(), self.take_notices)

    def fetch(self, key: str, path: str, delay_s: float, on_answer: Any, weight: int) -> bool:
        self.fetched.append((key, path, delay_s, weight))
        self.answer = on_answer
        return not self.refuse

    @property
    def pending(self) -> int:
        return len(self.events)

    def flush(self) -> None:
        self.flushed += self.events
        self.events.clear()

    def take_notices(self) -> None:
        self.notices += len(self.adapter.notices)
        self.adapter.notices.clear()


def test_an_answer_becomes_events_that_are_flushed() -> None:
    world = World()
    world.rest.fetch(REQUEST)
    assert world.fetched == [("book", "/book", 1.0, 5)]
    world.answer("/book", 200, b"snapshot")
    assert world.flushed == ["snapshot"]
    assert world.notices == 0


def test_a_refused_request_is_logged() -> None:
    with capture_logs() as logs:
        World(refuse=True).rest.fetch(REQUEST)
    assert [line["event"] for line in logs] == ["rest_request_refused"]


def test_an_unreadable_answer_reaches_the_adapter_as_status_0() -> None:
    world = World()
    world.rest.fetch(REQUEST)
    with capture_logs() as logs:
        world.answer("/book", 200, b"garbage")
    assert world.adapter.answers == [("/book", 200), ("/book", 0)]
    assert [line["event"] for line in logs] == ["rest_answer_rejected", "snapshot_rejected"]


def test_rejected_snapshots_are_counted_and_logged_unless_the_status_is() -> None:
    world = World()
    world.rest.fetch(REQUEST)
    with capture_logs() as logs:
        world.answer("/book", 200, b"empty")
        world.answer("/book", 429, b"too many requests")
    assert [line["event"] for line in logs] == ["snapshot_rejected", "rest_failed"]
    assert world.rest.snapshots_rejected_total == 2
    assert world.notices == 2
