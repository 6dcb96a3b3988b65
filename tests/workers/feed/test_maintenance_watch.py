"""A connection whose exchange is in maintenance, driven through `ConnectionLife`."""

from __future__ import annotations

from foxtrot_workers.adapter.notices import RestRequest
from foxtrot_workers.adapter.system import SystemStatus
from foxtrot_workers.feed.connection_life import ConnectionLife
from foxtrot_workers.feed.effects import AskMaintenance, FeedEffect, Leave, Look
from foxtrot_workers.feed.maintenance_watch import ASK_S, VALID_S
from tests.workers.feed.life import data, of, states, texts
from tests.workers.feed.test_stall_watch import Watched


class Maintained(Watched):
    def system_status(self) -> SystemStatus:
        return SystemStatus(RestRequest("status", "/status"), lambda body: body.decode())


class Played:
    """A connection with two quotes that brings data until 10 s; the exchange answers `says`, or nothing (None)."""

    def __init__(self, adapter: Watched | None = None) -> None:
        self.adapter = adapter or Maintained()
        self.feed = ConnectionLife(self.adapter, self.adapter.topics(["quote"], ["A", "B"]))
        self.feed.opened(0.0)
        self.now = 0.0
        self.asked = 0
        self.says: str | None = "new engine"
        self.effects: list[FeedEffect] = []

    def play(self, until: float, *, flows: bool = False) -> list[FeedEffect]:
        before = len(self.effects)
        while self.now < until:
            self.now += 0.25
            if flows or self.now < 10.0:
                for wire in ("A@quote", "B@quote"):
                    data(self.adapter, wire, int(self.now * 4))
            effects = self.feed.tick(self.now, self.now)
            for _ in of(Look, effects):
                self.feed.looked(200, str(self.now).encode(), self.now)
            if of(AskMaintenance, effects) and self.says is not None:
                self.asked += 1
                effects += self.feed.maintenance_answered(self.says, self.now)
            self.effects += effects
        return self.effects[before:]


def test_in_a_maintenance_the_connection_waits_and_then_flows() -> None:
    played = Played()
    effects = played.play(600.0)
    assert of(Leave, effects) == []
    assert states(effects)[-2:] == [("A@quote", "maintenance"), ("B@quote", "maintenance")]
    assert 550 / ASK_S < played.asked < 600 / ASK_S + 1
    assert texts(effects) == [], "nothing is subscribed again"
    assert states(played.play(601.0, flows=True)) == [("A@quote", "flowing"), ("B@quote", "flowing")]
    asked = played.asked
    played.play(700.0, flows=True)
    assert played.asked == asked


def test_after_the_maintenance_a_connection_without_data_is_judged_as_any_other() -> None:
    played = Played()
    assert of(Leave, played.play(100.0)) == []
    played.says = ""
    effects = played.play(100.0 + VALID_S + ASK_S)
    assert ("A@quote", "stale") in states(effects)
    assert "+A@quote" in "".join(texts(effects))
    (left,) = of(Leave, effects)
    assert "REST shows" in left.cause


def test_a_dead_connection_of_a_working_exchange_is_replaced() -> None:
    for says in ("", None):
        played = Played()
        played.says = says
        assert of(Leave, played.play(200.0)) != []


def test_an_exchange_that_does_not_say_its_state_is_not_asked() -> None:
    played = Played(Watched())
    assert of(Leave, played.play(200.0)) != []
    assert of(AskMaintenance, played.effects) == []
