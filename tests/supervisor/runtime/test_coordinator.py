"""Which worker is sent which request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from foxtrot_protocol.commands import (
    BOOK_ATTEMPTS_EACH,
    Backfill,
    Backfilled,
    BooksWanted,
    BudgetAsk,
    BudgetGrant,
    BudgetSpent,
    Heartbeat,
    HoleFound,
    Resync,
    ToChild,
    TopicStatus,
    TwinFresh,
)
from foxtrot_protocol.events import EVENT_MARKET_TRADE
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.runtime.coordinator import Coordinator
from foxtrot_supervisor.runtime.timers import Timers
from foxtrot_supervisor.telemetry.vitals import Vitals
from tests.supervisor.runtime.test_active_config import active, connection
from tests.support.waiting import wait_until_async

HOLE = HoleFound("engine", 1, "one", "BTC", EVENT_MARKET_TRADE, "11", "19", 1_000, 2_000)


def record(name: str, state: State = State.RUNNING) -> ChildRecord:
    return ChildRecord(
        plan=ChildPlan(name=name, tier=2), state=state, desired=Desired.RUNNING, incarnation=3, ready_at=1.0
    )


def heartbeat(name: str, data_age_s: float | None) -> Heartbeat:
    topics = [TopicStatus("trade:BTC", "flowing", data_age_s)]
    return Heartbeat(name, 3, 0.0, 1, 1, 1, 1, last_data_age_s=data_age_s, topics=topics)


class Scene:
    def __init__(self) -> None:
        self.active = active(connection("one"))
        self.records = {name: record(name) for name in ("one.a", "one.b")}
        self.vitals = {name: Vitals() for name in self.records}
        self.sent: list[tuple[str, ToChild]] = []
        self.reachable = True
        self.timers = Timers()
        self.log = Mock()
        self.coordinator = Coordinator(self.active, self.records, self.vitals, self._send, self.timers, self.log)

    def _send(self, name: str, incarnation: int, command: ToChild) -> bool:
        assert incarnation == 3
        self.sent.append((name, command))
        return self.reachable


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.timers.close()


async def test_a_hole_goes_to_a_worker_that_serves(scene: Scene) -> None:
    scene.records["one.a"].state = State.BACKOFF
    scene.coordinator.take_hole(HOLE)
    assert [(name, type(command)) for name, command in scene.sent] == [("one.b", Backfill)]


async def test_after_the_death_of_its_worker_a_backfill_goes_to_the_other(scene: Scene) -> None:
    scene.coordinator.take_hole(HOLE)
    ((first, _),) = scene.sent
    scene.records[first].state = State.BACKOFF
    scene.coordinator.ended(first, 3)
    scene.coordinator.assign_backfills()
    await wait_until_async(lambda: len(scene.sent) == 2, what="the second attempt, by a timer")
    assert {name for name, _ in scene.sent} == {"one.a", "one.b"}


async def test_a_request_for_books_takes_another_worker_at_each_attempt(scene: Scene) -> None:
    for attempt in (1, 1 + BOOK_ATTEMPTS_EACH):
        scene.coordinator.request_books(BooksWanted("engine", 1, "one", ["BTC"], attempt))
    assert {name for name, _ in scene.sent} == {"one.a", "one.b"}
    assert all(command == Resync(["BTC"]) for _, command in scene.sent)
    assert scene.log.info.call_count == 2


async def test_a_request_for_books_that_cannot_be_sent_is_dropped(scene: Scene) -> None:
    scene.reachable = False
    scene.coordinator.request_books(BooksWanted("engine", 1, "one", ["BTC"], 1))
    scene.coordinator.request_books(BooksWanted("engine", 1, "unknown", ["BTC"], 1))
    assert len(scene.sent) == 1
    assert not scene.log.info.called


async def test_a_closed_rate_limit_makes_workers_wait(scene: Scene) -> None:
    ask = BudgetAsk("one.a", 3, 7, "weight", "1.2.3.4", 1, 100, 60.0)
    scene.coordinator.acquire("one.a", 3, ask)
    scene.coordinator.close_rate_limit(BudgetSpent("one.a", 3, "weight", "1.2.3.4", 5.0))
    scene.coordinator.acquire("one.a", 3, ask)
    first, second = (command for _, command in scene.sent)
    assert isinstance(first, BudgetGrant)
    assert isinstance(second, BudgetGrant)
    assert first.wait_s == 0.0
    assert second.wait_s > 4.0 or second.refused


async def test_a_worker_without_data_learns_that_its_twin_has_some(scene: Scene) -> None:
    scene.vitals["one.b"].heartbeat(heartbeat("one.b", 0.1), time.monotonic())
    scene.coordinator.compare_with_twin("one.a", heartbeat("one.a", 1.0))
    scene.coordinator.compare_with_twin("engine", heartbeat("engine", 60.0))
    assert scene.sent == []
    scene.coordinator.compare_with_twin("one.a", heartbeat("one.a", 60.0))
    ((name, command),) = scene.sent
    assert name == "one.a"
    assert isinstance(command, TwinFresh)


async def test_an_answer_ends_a_backfill(scene: Scene) -> None:
    scene.coordinator.take_hole(HOLE)
    ((name, command),) = scene.sent
    assert isinstance(command, Backfill)
    scene.coordinator.take_backfilled(name, 3, Backfilled(name, 3, command.request_id, 9))
    assert scene.coordinator.backfill_figures()["one"].filled_total == 1
    assert len(scene.sent) == 1
