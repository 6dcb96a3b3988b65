"""A connection's life, decided without a clock or a socket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pytest

from foxtrot_protocol.events import MarketEvent
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.limits import Limits, Topic
from foxtrot_workers.adapter.notices import (
    Acknowledged,
    BookLost,
    CloseAnnounced,
    Pong,
    Refused,
    RestRequest,
    Resubscribe,
    SendText,
)
from foxtrot_workers.feed import connection_life as feed_module
from foxtrot_workers.feed.connection_life import (
    ROTATE_AGAIN_S,
    ROTATE_EARLIER_SHARE,
    ROTATE_SHARE,
    Answer,
    Feed,
    FeedEffect,
    Leave,
    Look,
    Online,
    Rotate,
    Send,
    TopicChanged,
)

E = TypeVar("E", bound=FeedEffect)


class Plain(Adapter):
    """An exchange with one text for each topic."""

    name = "plain"
    exchange = "PLAIN"
    channels = frozenset({"trade"})
    url = "ws://127.0.0.1"
    rest_url = "http://127.0.0.1"
    limits = Limits(silence_s=45.0, acknowledge_s=10.0, topics_max=4)

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        return [Topic(channel, symbol, f"{symbol}@{channel}") for channel in channels for symbol in symbols]

    def address(self, base: str) -> str:
        return base

    def opening(self) -> list[str]:
        return ["hello"]

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        return [f"+{topic.wire}" for topic in topics]

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        return [f"-{topic.wire}" for topic in topics]

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        raise AssertionError("not used")


class Paced(Plain):
    limits = Limits(silence_s=45.0, send_interval_s=0.5, ping_text="ping", ping_idle_s=20.0, lifetime_s=100.0)


def make(kind: type[Adapter] = Plain, symbols: str = "A B", **settings: float) -> tuple[Feed, Adapter]:
    adapter = kind()
    return Feed(adapter, adapter.topics(["trade"], symbols.split()), **settings), adapter


def of(kind: type[E], effects: list[FeedEffect]) -> list[E]:
    return [effect for effect in effects if isinstance(effect, kind)]


def texts(effects: list[FeedEffect]) -> list[str]:
    return [effect.text for effect in of(Send, effects)]


def states(effects: list[FeedEffect]) -> list[tuple[str, str]]:
    return [(effect.topic.wire, effect.state) for effect in of(TopicChanged, effects)]


def run(feed: Feed, start: float, end: float, step: float = 0.25) -> list[FeedEffect]:
    """Ticks from `start` to `end`, with a pong in time for each."""
    effects: list[FeedEffect] = []
    now = start
    while now <= end:
        effects += feed.tick(now, now)
        now += step
    return effects


def data(adapter: Adapter, wire: str, at_ns: int) -> None:
    adapter.last_data_ns[wire] = at_ns


def test_opening_says_hello_then_subscribes_and_announces_the_topics() -> None:
    feed, _ = make()
    effects = feed.opened(0.0)
    assert texts(effects) == ["hello", "+A@trade", "+B@trade"]
    assert states(effects) == [("A@trade", "asked"), ("B@trade", "asked")]


def test_texts_keep_the_exchanges_pace() -> None:
    feed, _ = make(Paced, "A B")
    assert texts(feed.opened(10.0)) == ["hello"]
    assert feed.next_deadline() <= 10.5
    assert texts(feed.tick(10.49, 10.0)) == []
    assert texts(feed.tick(10.5, 10.0)) == ["+A@trade"]
    assert texts(feed.tick(10.9, 10.0)) == []
    assert texts(feed.tick(11.1, 10.0)) == ["+B@trade"]


def test_answers_to_pings_go_before_our_own_requests() -> None:
    feed, _ = make(Paced, "A B")
    feed.opened(0.0)
    assert texts(feed.noticed([SendText("pong")], 0.6)) == ["pong"]


def test_online_when_every_topic_is_acknowledged() -> None:
    feed, _ = make()
    feed.opened(0.0)
    assert of(Online, feed.noticed([Acknowledged(("A@trade",))], 0.1)) == []
    effects = feed.noticed([Acknowledged(("B@trade",)), Acknowledged(("unheard-of",))], 0.2)
    assert len(of(Online, effects)) == 1
    assert states(effects) == [("B@trade", "acknowledged")]
    assert of(Online, feed.noticed([Acknowledged(("B@trade",))], 0.3)) == [], "once"


def test_online_at_the_first_data_too() -> None:
    feed, adapter = make()
    feed.opened(0.0)
    data(adapter, "A@trade", 5)
    effects = feed.tick(0.3, 0.2)
    assert len(of(Online, effects)) == 1
    assert states(effects) == [("A@trade", "flowing")]


def test_a_refused_topic_is_invalid_and_the_others_go_on() -> None:
    feed, _ = make()
    feed.opened(0.0)
    effects = feed.noticed([Refused(("A@trade",), "no such symbol", "never"), Acknowledged(("B@trade",))], 1.0)
    assert ("A@trade", "invalid") in states(effects)
    assert of(TopicChanged, effects)[0].reason == "no such symbol"
    assert len(of(Online, effects)) == 1
    assert of(Leave, effects) == []


def test_when_everything_is_refused_the_worker_leaves() -> None:
    feed, _ = make()
    feed.opened(0.0)
    feed.noticed([Refused(("A@trade",), "banned", "never")], 1.0)
    leaves = of(Leave, feed.noticed([Refused(("B@trade",), "banned", "never")], 1.0))
    assert [leave.code for leave in leaves] == [ChildExit.REFUSED]
    assert "banned" in leaves[0].cause


def test_an_unanswered_subscription_is_asked_again_once_then_the_connection_is_replaced() -> None:
    feed, _ = make(symbols="A")
    feed.opened(0.0)
    assert texts(feed.tick(9.9, 9.0)) == []
    assert texts(feed.tick(10.2, 10.0)) == ["+A@trade"]
    assert of(Leave, feed.tick(15.0, 15.0)) == []
    leaves = of(Leave, feed.tick(20.6, 20.0))
    assert [leave.code for leave in leaves] == [ChildExit.CONNECTION_LOST]
    assert of(Leave, feed.tick(31.0, 31.0)) == [], "it leaves once"


def test_silence_of_every_kind_of_frame_ends_the_connection() -> None:
    feed, _ = make()
    feed.opened(0.0)
    feed.noticed([Acknowledged(("A@trade", "B@trade"))], 0.1)
    assert of(Leave, feed.tick(44.9, 0.1)) == []
    assert [leave.code for leave in of(Leave, feed.tick(46.0, 0.1))] == [ChildExit.STALE]


def test_frames_of_any_kind_keep_the_connection() -> None:
    feed, _ = make()
    feed.opened(0.0)
    feed.noticed([Acknowledged(("A@trade", "B@trade"))], 0.1)
    for second in range(1, 200):
        assert of(Leave, feed.tick(float(second), second - 20.0)) == []


def test_a_configured_limit_makes_a_topic_stale_resubscribes_it_and_then_replaces_the_connection() -> None:
    feed, adapter = make(symbols="A", stale_after_s=30.0)
    feed.opened(0.0)
    data(adapter, "A@trade", 5)
    assert states(run(feed, 1.0, 30.9)) == [("A@trade", "flowing")]
    effects = run(feed, 31.0, 32.0)
    assert states(effects) == [("A@trade", "stale")]
    assert of(TopicChanged, effects)[0].age_s == pytest.approx(30.0, abs=0.5)
    assert texts(effects) == ["-A@trade", "+A@trade"]
    assert of(Leave, run(feed, 32.25, 60.5)) == []
    assert [leave.code for leave in of(Leave, run(feed, 60.75, 62.5))] == [ChildExit.STALE]


def test_a_stale_topic_that_flows_again_is_forgiven() -> None:
    feed, adapter = make(symbols="A", stale_after_s=30.0)
    feed.opened(0.0)
    data(adapter, "A@trade", 5)
    run(feed, 1.0, 40.0)
    data(adapter, "A@trade", 6)
    assert states(feed.tick(40.25, 40.0)) == [("A@trade", "flowing")]
    assert of(Leave, run(feed, 40.5, 69.0)) == []


def test_one_silent_topic_is_isolated_with_backoff_and_the_others_go_on() -> None:
    feed, adapter = make(symbols="A B C", stale_after_s=10.0)
    feed.opened(0.0)
    effects: list[FeedEffect] = []
    for second in range(1, 200):
        for wire in ("A@trade", "B@trade", *(["C@trade"] if second < 5 else [])):
            data(adapter, wire, second)
        effects += run(feed, float(second), second + 0.8)
    assert of(Leave, effects) == []
    assert ("C@trade", "stale") in states(effects)
    assert not {state for wire, state in states(effects) if wire != "C@trade"} & {"stale", "silent", "invalid"}
    asked = [text for text in texts(effects) if text == "+C@trade"]
    assert 3 <= len(asked) <= 5, "with backoff, not each ten seconds"
    assert "+A@trade" not in texts(effects)


def test_a_topic_that_is_acknowledged_and_never_brings_anything_is_silent_and_no_reason_to_reconnect() -> None:
    feed, adapter = make(symbols="A B C")
    feed.opened(0.0)
    feed.noticed([Acknowledged(("A@trade", "B@trade", "C@trade"))], 0.1)
    effects: list[FeedEffect] = []
    for second in range(1, 400):
        data(adapter, "A@trade", second)
        effects += run(feed, float(second), second + 0.8)
    assert [wire for wire, state in states(effects) if state == "silent"] == ["B@trade", "C@trade"]
    assert of(Leave, effects) == []
    silent = next(t for t in feed.topics(400.0, 0) if t.topic == "B@trade")
    assert silent.since_s > 300.0
    assert "no event since" in silent.reason
    data(adapter, "B@trade", 7)
    assert ("B@trade", "flowing") in states(run(feed, 400.0, 401.0))


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
    assert states(effects) == [("A@trade", "flowing"), ("B@trade", "flowing"), ("A@trade", "stale")]
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
    feed = Feed(adapter, adapter.topics(channels, ["A", "B"]))
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


def test_a_silent_stall_is_found_by_rest_although_pings_go_on() -> None:
    at, cause = silent_after(Watched(), ["trade", "quote"], venue_moves=True)
    assert 39.0 < at < 44.0
    assert "no data of any topic" in cause
    assert "REST shows that A@trade has moved" in cause


def test_a_market_that_is_quiet_by_rest_costs_no_connection() -> None:
    assert silent_after(Watched(), ["trade", "quote"], venue_moves=False) == (0.0, "")


def test_without_an_answer_of_rest_time_decides() -> None:
    at, _ = silent_after(Watched(), ["trade", "quote"], venue_moves=True, answers=False)
    assert 69.0 < at < 72.0
    at, _ = silent_after(Watched(), ["trade"], venue_moves=True, answers=False)
    assert 309.0 < at < 312.0, "trades may rest"
    at, _ = silent_after(Plain(), ["trade"], venue_moves=True)
    assert 309.0 < at < 312.0, "an exchange that offers no look"


def test_the_twin_s_data_prove_a_stall() -> None:
    feed, adapter = make(Plain, "A")
    feed.opened(0.0)
    data(adapter, "A@trade", 5)
    run(feed, 1.0, 35.0)
    feed.twin_is_fresh(35.0)
    (leave,) = of(Leave, run(feed, 35.25, 35.5))
    assert "its twin has data" in leave.cause


def test_updates_that_wait_for_a_snapshot_show_that_the_stream_lives() -> None:
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
    assert texts(effects) == [], "another subscription would only begin anew"
    assert "no snapshot" in feed.topics(400.0, 0)[0].reason


def test_what_could_not_be_read_is_no_silence() -> None:
    feed, adapter = make(symbols="A", stale_after_s=10.0)
    feed.opened(0.0)
    data(adapter, "A@trade", 5)
    effects = run(feed, 1.0, 5.0)
    for tick in range(200):
        effects += feed.tick(5.25 + tick / 4, 5.25 + tick / 4, held=True)
    effects += feed.tick(500.0, 500.0)  # the machine slept
    assert states(effects) == [("A@trade", "flowing")]
    assert of(Leave, effects) == []


def test_a_topic_that_is_known_to_pause_gets_a_longer_limit() -> None:
    feed, adapter = make(Watched, "A")
    feed = Feed(adapter, adapter.topics(["quote"], ["A"]))
    feed.opened(0.0)
    data(adapter, "A@quote", 1)
    assert feed.topics(0.0, 0)[0].limit_s == 30.0
    run(feed, 1.0, 21.0)
    data(adapter, "A@quote", 2)
    run(feed, 21.25, 22.0)
    assert feed.topics(22.0, 0)[0].limit_s == pytest.approx(81.0, abs=2.0)


def test_a_passing_refusal_is_retried_until_the_topic_flows() -> None:
    feed, adapter = make()
    feed.opened(0.0)
    feed.noticed([Refused(("A@trade",), "60014: too many requests", "later"), Acknowledged(("B@trade",))], 0.1)
    topic = feed.topics(0.1, 0)[0]
    assert (topic.state, topic.final) == ("invalid", False)
    assert "60014" in topic.reason
    effects = run(feed, 0.25, 1.25)
    assert texts(effects) == ["+A@trade"]
    feed.noticed([Refused(("A@trade",), "60014: too many requests", "later")], 1.3)
    assert texts(run(feed, 1.5, 3.0)) == []
    assert texts(run(feed, 3.25, 3.5)) == ["+A@trade"], "later each time"
    assert ("A@trade", "acknowledged") in states(feed.noticed([Acknowledged(("A@trade",))], 3.6))
    data(adapter, "A@trade", 9)
    assert ("A@trade", "flowing") in states(run(feed, 4.0, 4.25))


def test_a_refusal_that_names_nothing_condemns_nobody() -> None:
    feed, _ = make()
    feed.opened(0.0)
    assert texts(feed.noticed([Refused((), "60012: illegal request", "never", exact=False)], 0.1)) == []
    assert not any(topic.final for topic in feed.topics(0.1, 0))
    assert texts(run(feed, 0.25, 1.25)) == ["+A@trade", "+B@trade"]


def test_a_refusal_for_good_is_not_retried() -> None:
    feed, _ = make()
    feed.opened(0.0)
    feed.noticed([Refused(("A@trade",), "60018: doesn't exist", "never"), Acknowledged(("B@trade",))], 0.1)
    assert feed.topics(0.1, 0)[0].final
    assert texts(run(feed, 0.25, 50.0)) == []
    assert texts(feed.add(5, ["A", "B"], ["trade"], 50.0)) == ["+A@trade"], "unless somebody asks for it"


def test_a_connection_all_of_whose_topics_are_refused_for_long_is_given_up_before_ready_is_due() -> None:
    feed, _ = make(symbols="A")
    feed.opened(0.0)
    effects: list[FeedEffect] = []
    for tick in range(1, 80):
        now = tick / 4
        effects += feed.tick(now, now)
        if tick == 1 or "+A@trade" in texts(effects[-3:]):
            effects += feed.noticed([Refused(("A@trade",), "busy", "later")], now)
    (leave,) = of(Leave, effects)
    assert (leave.code, "busy" in leave.cause) == (ChildExit.REFUSED, True)


def test_a_request_refused_as_a_whole_is_split_until_the_bad_topic_is_found() -> None:
    feed, _ = make(symbols="A B C D")
    feed.opened(0.0)
    wires = ("A@trade", "B@trade", "C@trade", "D@trade")
    effects = feed.noticed([Refused(wires, "2: Invalid request", "never", exact=False)], 0.1)
    assert texts(effects) == ["+A@trade", "+B@trade", "+C@trade", "+D@trade"]
    assert states(effects) == [], "nothing is known of any of them yet"
    effects = feed.noticed([Acknowledged(wires[:2]), Refused(wires[2:], "2: Invalid", "never", exact=False)], 0.2)
    assert texts(effects) == ["+C@trade", "+D@trade"]
    effects = feed.noticed([Refused(("C@trade",), "2: Invalid", "never", exact=False), Acknowledged(("D@trade",))], 0.3)
    assert states(effects) == [("C@trade", "invalid"), ("D@trade", "acknowledged")]
    assert of(Leave, effects) == []


def test_a_broken_book_is_invalid_until_data_follow() -> None:
    feed, adapter = make()
    feed.opened(0.0)
    data(adapter, "A@trade", 5)
    feed.tick(1.0, 1.0)
    assert states(feed.noticed([BookLost("A@trade", "A", "gap")], 2.0)) == [("A@trade", "invalid")]
    assert states(feed.tick(3.0, 3.0)) == [], "the data that showed the gap does not count"
    data(adapter, "A@trade", 9)
    assert ("A@trade", "flowing") in states(feed.tick(4.0, 4.0))


def test_resubscribing_is_bounded() -> None:
    feed, _ = make()
    feed.opened(0.0)
    assert texts(feed.noticed([Resubscribe("A@trade", "gap")], 1.0)) == ["-A@trade", "+A@trade"]
    assert feed.noticed([Resubscribe("unheard-of", "gap")], 1.0) == []
    effects: list[FeedEffect] = []
    for _ in range(feed_module.RESUBSCRIBES_MAX):
        effects += feed.noticed([Resubscribe("A@trade", "gap")], 2.0)
    assert of(Leave, effects) == [], "one topic does not decide for all"
    assert states(effects) == [("A@trade", "invalid")]
    for _ in range(feed_module.RESUBSCRIBES_MAX + 1):
        effects += feed.noticed([Resubscribe("B@trade", "gap")], 3.0)
    assert [leave.code for leave in of(Leave, effects)] == [ChildExit.STALE], "most of them are broken"


class Bookish(Plain):
    channels = frozenset({"trade", "book"})


def test_books_that_flow_are_subscribed_anew_to_be_shown_whole() -> None:
    adapter = Bookish()
    channels = ["trade", "book"]
    feed = Feed(adapter, adapter.topics(channels, ["A", "B"]))
    feed.opened(0.0)
    assert feed.resync(["A", "B", "C"], channels, 0.5) == [], "what does not flow is being taken up anyway"
    for wire in ("A@book", "A@trade", "B@trade"):
        data(adapter, wire, 5)
    feed.tick(1.0, 1.0)
    for number in range(2 * feed_module.RESUBSCRIBES_MAX):
        effects = feed.resync(["A", "B", "C"], channels, 2.0 + number)
        assert texts(effects) == ["-A@book", "+A@book"]
        assert of(Leave, effects) == [], "nothing is wrong with it"
    assert ("A@book", "flowing") in [(topic.topic, topic.state) for topic in feed.topics(2.0, 6)]


def test_what_an_adapter_does_by_itself_needs_no_subscription() -> None:
    class Silent(Bookish):
        def resync(self, topics: Sequence[Topic]) -> list[Topic]:
            assert [topic.wire for topic in topics] == ["A@book"]
            return []

    adapter = Silent()
    feed = Feed(adapter, adapter.topics(["book"], ["A"]))
    feed.opened(0.0)
    data(adapter, "A@book", 5)
    feed.tick(1.0, 1.0)
    assert feed.resync(["A"], ["book"], 2.0) == []


def test_we_ping_when_idle_and_a_pong_rearms() -> None:
    feed, _ = make(Paced, "A")
    feed.opened(0.0)
    feed.tick(0.6, 0.5)
    feed.noticed([Acknowledged(("A@trade",))], 0.7)
    assert texts(feed.tick(21.0, 0.5)) == ["ping"]
    assert texts(feed.tick(30.0, 0.5)) == [], "one ping until something comes"
    feed.noticed([Pong()], 31.0)
    feed.tick(31.5, 31.0)
    assert texts(feed.tick(52.0, 31.0)) == ["ping"]


def test_an_announced_close_and_the_planned_age_ask_for_rotation_and_the_connection_goes_on() -> None:
    feed, _ = make()
    feed.opened(0.0)
    assert feed.rotate_reason == ""
    effects = feed.noticed([CloseAnnounced("upgrade")], 1.0)
    assert of(Rotate, effects) == [Rotate("upgrade")]
    assert of(Leave, effects) == []
    assert feed.rotate_reason == "upgrade"
    feed, _ = make(Paced, "A")
    feed.opened(0.0)
    due = 100.0 * ROTATE_SHARE
    assert of(Rotate, feed.tick(due - 0.1, due - 0.1)) == []
    assert of(Rotate, feed.tick(due, due)) == [Rotate("the connection has reached its planned age")]
    feed, _ = make(Paced, "A", rotate_after_s=10.0)
    feed.opened(0.0)
    effects = feed.tick(10.0, 9.5)
    assert of(Rotate, effects)
    assert of(Leave, effects) == []


def test_the_wish_for_rotation_is_repeated() -> None:
    feed, _ = make()
    feed.opened(0.0)
    feed.noticed([CloseAnnounced("upgrade")], 1.0)
    assert of(Rotate, feed.tick(1.0 + ROTATE_AGAIN_S - 0.1, 5.0)) == []
    assert of(Rotate, feed.tick(1.0 + ROTATE_AGAIN_S, 5.0)) == [Rotate("upgrade")], "with its first reason"
    assert of(Rotate, feed.tick(1.0 + 2 * ROTATE_AGAIN_S, 10.0)) == [Rotate("upgrade")]


def test_ages_are_spread() -> None:
    """Twins by their share, all by chance; earlier, never later."""

    def age_s(**settings: float) -> float:
        feed, _ = make(Paced, "A", rotate_after_s=10.0, **settings)
        feed.opened(0.0)
        return next(now / 10 for now in range(200) if of(Rotate, feed.tick(now / 10, now / 10)))

    assert age_s() == 10.0
    assert age_s(rotate_share=0.5) == 5.0
    assert age_s(chance=1.0) == pytest.approx(10.0 * (1 - ROTATE_EARLIER_SHARE))


def test_symbols_are_added_and_the_request_is_answered_when_the_exchange_did() -> None:
    feed, _ = make(symbols="A")
    feed.opened(0.0)
    effects = feed.add(7, ["A", "C"], ["trade"], 1.0)
    assert texts(effects) == ["+C@trade"], "what is subscribed is not asked for again"
    assert of(Answer, effects) == []
    assert of(Answer, feed.noticed([Acknowledged(("C@trade",))], 1.5)) == [Answer(7, "")]
    assert of(Answer, feed.add(8, ["C"], ["trade"], 2.0)) == [Answer(8, "")], "nothing to do"


def test_symbols_are_removed() -> None:
    feed, adapter = make()
    feed.opened(0.0)
    data(adapter, "A@trade", 1)
    assert texts(feed.remove(3, ["A"], ["trade"], 1.0)) == ["-A@trade"]
    assert of(Answer, feed.noticed([Acknowledged(("A@trade",), subscribed=False)], 1.1)) == [Answer(3, "")]
    assert [status.topic for status in feed.topics(2.0, 0)] == ["B@trade"]
    assert "A@trade" not in adapter.last_data_ns
    assert of(Answer, feed.remove(4, ["A"], ["trade"], 2.0)) == [Answer(4, "")]


def test_requests_fail_with_a_reason_when_refused_unanswered_or_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    feed, _ = make(symbols="A")
    feed.opened(0.0)
    feed.noticed([Acknowledged(("A@trade",))], 0.1)
    feed.add(1, ["C"], ["trade"], 1.0)
    assert of(Answer, feed.noticed([Refused(("C@trade",), "unknown")], 1.1)) == [Answer(1, "C@trade: unknown")]
    feed.add(2, ["D"], ["trade"], 2.0)
    late = of(Answer, feed.tick(12.5, 12.0))
    assert [answer.request_id for answer in late] == [2]
    assert "no answer" in late[0].error
    assert "4 topics" in of(Answer, feed.add(3, ["E", "F"], ["trade"], 13.0))[0].error
    monkeypatch.setattr(feed_module, "REQUESTS_MAX", 0)
    assert "waiting" in of(Answer, feed.add(4, ["G"], ["trade"], 14.0))[0].error
    assert "waiting" in of(Answer, feed.remove(5, ["A"], ["trade"], 14.0))[0].error


def test_the_outbox_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "OUTBOX_COUNT", 2)
    feed, _ = make(Paced, "A B C")
    with pytest.raises(OverflowError):
        feed.opened(0.0)


def test_topics_report_state_and_age() -> None:
    feed, adapter = make()
    feed.opened(0.0)
    data(adapter, "A@trade", 1_000_000_000)
    feed.tick(0.3, 0.2)
    by_wire = {status.topic: status for status in feed.topics(2.3, 3_000_000_000)}
    assert (by_wire["A@trade"].state, by_wire["A@trade"].age_s) == ("flowing", 2.0)
    assert (by_wire["B@trade"].state, by_wire["B@trade"].age_s) == ("asked", None)
    assert feed.data_age_s(2.3, 3_000_000_000) == 2.0


def test_without_data_there_is_no_age() -> None:
    feed, adapter = make()
    feed.opened(0.0)
    assert feed.data_age_s(1.0, 3_000_000_000) is None
    data(adapter, "A@trade", 1_000_000_000)  # nobody has looked since
    assert feed.data_age_s(1.0, 3_000_000_000) is None


HOUR_NS = 3600 * 10**9


@pytest.mark.parametrize("jump_ns", [-HOUR_NS, HOUR_NS])
def test_a_jump_of_the_wall_clock_makes_no_topic_stale(jump_ns: int) -> None:
    feed, adapter = make(symbols="A", stale_after_s=30.0)
    feed.opened(0.0)
    wall_ns = 10 * HOUR_NS
    for second in range(1, 100):
        if second == 10:
            wall_ns += jump_ns
        data(adapter, "A@trade", wall_ns + second)
        expected = [("A@trade", "flowing")] if second == 1 else []
        assert states(feed.tick(float(second), float(second))) == expected


@pytest.mark.parametrize("jump_ns", [-HOUR_NS, HOUR_NS])
def test_a_jump_of_the_wall_clock_changes_no_age(jump_ns: int) -> None:
    feed, adapter = make(symbols="A")
    feed.opened(0.0)
    data(adapter, "A@trade", 10 * HOUR_NS)
    feed.tick(1.0, 1.0)
    for age_s in (
        feed.data_age_s(11.0, 10 * HOUR_NS + 10**10 + jump_ns),
        feed.topics(11.0, 10 * HOUR_NS + 10**10 + jump_ns)[0].age_s,
    ):
        assert age_s == pytest.approx(10.0, abs=feed_module.LOOK_S)
