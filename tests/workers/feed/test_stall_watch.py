"""A dead stream is distinguished from a quiet market, driven through `ConnectionLife`."""

from __future__ import annotations

import pytest

from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.limits import Limits, Topic
from foxtrot_workers.adapter.notices import (
    Acknowledged,
    RestRequest,
)
from foxtrot_workers.feed.connection_life import ConnectionLife
from foxtrot_workers.feed.effects import FeedEffect, Leave, Look
from tests.workers.feed.life import Plain, data, make, of, run, states, texts


def test_a_busy_stream_of_trades_that_stops_is_found_although_trades_may_rest() -> None:
    feed, adapter = make(symbols="A B")
    feed.opened(0.0)
    effects: list[FeedEffect] = []
    for tick in range(1, 1200):
        now = tick / 4
        data(adapter, "B@trade", tick)
        if now < 40.0:
            data(adapter, "A@trade", tick)
        effects += feed.tick(now, now)
    assert states(effects) == [
        ("A@trade", "flowing"),
        ("B@trade", "flowing"),
        ("A@trade", "stale"),
        *[("A@trade", "resubscribed")] * 2,
    ]
    assert texts(effects) == ["-A@trade", "+A@trade"] * 2, "with backoff"
    assert of(Leave, effects) == []


class Watched(Plain):
    """Tells by REST how far the venue is."""

    channels = frozenset({"trade", "quote"})
    limits = Limits(silence_s=45.0, stale_channel_s={"quote": 30.0})

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return RestRequest("liveness", f"/newest/{topic.wire}")

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return body.decode()


def silent_after(
    adapter: Adapter, channels: list[str], *, venue_moves: bool, answers: bool = True
) -> tuple[float, str]:
    """When a connection that brought data until 10.0 is given up, and why; (0, "") if it is not within 400 s."""
    feed = ConnectionLife(adapter, adapter.topics(channels, ["A", "B"]))
    feed.opened(0.0)
    now, looks = 0.0, 0
    while now < 400.0:
        now += 0.25
        if now < 10.0:
            for channel in channels:
                data(adapter, f"A@{channel}", int(now * 4))
                data(adapter, f"B@{channel}", int(now * 4))
        for effect in feed.tick(now, now):
            if isinstance(effect, Leave):
                return now, effect.cause
            if isinstance(effect, Look):
                looks += 1
                feed.looked(200 if answers else 0, str(looks if venue_moves else 0).encode(), now)
    return 0.0, ""


def test_rest_proves_a_dead_stream_although_pings_continue() -> None:
    at, cause = silent_after(Watched(), ["trade", "quote"], venue_moves=True)
    assert 39.0 < at < 44.0
    assert "no data of any topic" in cause
    assert "REST shows that A@trade has moved" in cause


def test_a_market_that_is_quiet_by_rest_keeps_the_connection() -> None:
    assert silent_after(Watched(), ["trade", "quote"], venue_moves=False) == (0.0, "")


def test_without_rest_answers_the_duration_of_silence_decides() -> None:
    at, _ = silent_after(Watched(), ["trade", "quote"], venue_moves=True, answers=False)
    assert 69.0 < at < 72.0
    at, _ = silent_after(Watched(), ["trade"], venue_moves=True, answers=False)
    assert 309.0 < at < 312.0, "trades may rest"
    at, _ = silent_after(Plain(), ["trade"], venue_moves=True)
    assert 309.0 < at < 312.0, "an exchange that offers no look"


def test_data_of_the_twin_prove_a_dead_stream() -> None:
    feed, adapter = make(Plain, "A")
    feed.opened(0.0)
    data(adapter, "A@trade", 5)
    run(feed, 1.0, 35.0)
    feed.twin_is_fresh(35.0)
    (leave,) = of(Leave, run(feed, 35.25, 35.5))
    assert "its twin has data" in leave.cause


def test_held_updates_prove_that_the_stream_is_alive() -> None:
    feed, adapter = make(Watched, "A")
    feed.opened(0.0)
    feed.noticed([Acknowledged(("A@trade",))], 0.1)
    effects: list[FeedEffect] = []
    for second in range(1, 400):
        adapter.held_ns["A@trade"] = second
        effects += run(feed, float(second), second + 0.8)
    assert of(Leave, effects) == []
    assert of(Look, effects) == []
    assert states(effects) == [("A@trade", "silent")]
    assert texts(effects) == [], "another subscription would only restart the wait"
    assert "no snapshot" in feed.topics(400.0, 0)[0].reason


def test_a_topic_that_is_known_to_pause_gets_a_longer_limit() -> None:
    feed, adapter = make(Watched, "A")
    feed = ConnectionLife(adapter, adapter.topics(["quote"], ["A"]))
    feed.opened(0.0)
    data(adapter, "A@quote", 1)
    assert feed.topics(0.0, 0)[0].limit_s == 30.0
    run(feed, 1.0, 21.0)
    data(adapter, "A@quote", 2)
    run(feed, 21.25, 22.0)
    assert feed.topics(22.0, 0)[0].limit_s == pytest.approx(81.0, abs=2.0)


def test_most_of_a_connection_that_stays_silent_after_subscribing_again_ends_it() -> None:
    feed, adapter = make(Plain, "A B C", stale_after_s=30.0)
    feed.opened(0.0)
    effects: list[FeedEffect] = []
    for tick in range(1, 600):
        now = tick / 4
        data(adapter, "C@trade", tick - tick % 40 + 1)
        if now < 40.0:
            data(adapter, "A@trade", tick)
            data(adapter, "B@trade", tick)
        effects += feed.tick(now, now)
    (leave,) = of(Leave, effects)
    assert "no data of 2 of 3 topics" in leave.cause
    assert leave.cause.endswith("also after subscribing again: A@trade, B@trade")


def test_a_connection_without_topics_is_not_silent() -> None:
    feed, adapter = make(Plain, "A")
    feed.opened(0.0)
    data(adapter, "A@trade", 5)
    run(feed, 1.0, 2.0)
    feed.remove(7, ["A"], ["trade"], 2.0)
    feed.noticed([Acknowledged(("A@trade",), subscribed=False)], 2.1)
    assert feed.topics(2.1, 0) == []
    assert of(Leave, run(feed, 2.25, 700.0)) == []
