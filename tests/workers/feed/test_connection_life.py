"""The life of a connection, decided without a clock or a socket."""

from __future__ import annotations

import pytest
from msgspec import structs

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_workers.adapter.limits import Limits
from foxtrot_workers.adapter.notices import (
    Acknowledged,
    BookLost,
    CloseAnnounced,
    Greeted,
    Pong,
    Refused,
    RestRequest,
    SendText,
    SnapshotRejected,
)
from foxtrot_workers.feed import outbox
from foxtrot_workers.feed.connection_life import ROTATE_AGAIN_S, ROTATE_EARLIER_SHARE, ROTATE_SHARE
from foxtrot_workers.feed.effects import FeedEffect, Leave, Online, Ping, Rotate, TopicChanged
from tests.workers.feed.life import Paced, Plain, data, make, of, run, states, texts


def test_opening_texts_go_before_subscriptions_and_topics_are_announced() -> None:
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
    assert states(effects) == [("A@trade", "stale"), ("A@trade", "resubscribed")]
    assert of(TopicChanged, effects)[0].age_s == pytest.approx(30.0, abs=0.5)
    assert texts(effects) == ["-A@trade", "+A@trade"]
    assert of(Leave, run(feed, 32.25, 60.5)) == []
    assert [leave.code for leave in of(Leave, run(feed, 60.75, 62.5))] == [ChildExit.STALE]


def test_a_stale_topic_that_flows_again_starts_with_a_clean_record() -> None:
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


def test_an_acknowledged_topic_without_events_is_silent_and_does_not_end_the_connection() -> None:
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


def test_time_without_reading_is_not_silence() -> None:
    feed, adapter = make(symbols="A", stale_after_s=10.0)
    feed.opened(0.0)
    data(adapter, "A@trade", 5)
    effects = run(feed, 1.0, 5.0)
    for tick in range(200):
        effects += feed.tick(5.25 + tick / 4, 5.25 + tick / 4, held=True)
    effects += feed.tick(500.0, 500.0)  # the machine slept
    assert states(effects) == [("A@trade", "flowing")]
    assert of(Leave, effects) == []


def test_a_connection_whose_topics_are_all_refused_is_left_after_a_while() -> None:
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


def test_a_broken_book_is_invalid_until_data_follow() -> None:
    feed, adapter = make()
    feed.opened(0.0)
    data(adapter, "A@trade", 5)
    feed.tick(1.0, 1.0)
    assert states(feed.noticed([BookLost("A@trade", "A", "gap")], 2.0)) == [("A@trade", "invalid")]
    assert states(feed.tick(3.0, 3.0)) == [], "the data that showed the gap does not count"
    data(adapter, "A@trade", 9)
    assert ("A@trade", "flowing") in states(feed.tick(4.0, 4.0))


class Eager(Paced):
    limits = Limits(silence_s=45.0, ping_text="ping", ping_idle_s=20.0, ping_interval_s=18.0)


class Polite(Paced):
    limits = Limits(silence_s=45.0, greets_first=True, ping_text="ping", ping_idle_s=5.0)


def test_nothing_is_sent_before_the_exchange_has_greeted_us() -> None:
    feed, _ = make(Polite, "A")
    assert texts(feed.opened(0.0)) == []
    assert feed.next_deadline() > 0.0, "what is held back has no deadline"
    assert texts(feed.tick(6.0, 0.0)) == []
    assert texts(feed.noticed([Greeted()], 6.5)) == ["ping", "hello", "+A@trade"]


class Slow(Paced):
    limits = Limits(silence_s=45.0, opening_delay_s=1.0)


def test_nothing_is_sent_before_the_delay_that_the_exchange_wants() -> None:
    feed, _ = make(Slow, "A")
    assert texts(feed.opened(5.0)) == []
    assert texts(feed.tick(5.9, 0.0)) == []
    assert feed.next_deadline() == 6.0
    assert texts(feed.tick(6.0, 0.0)) == ["hello", "+A@trade"]


class Pinged(Paced):
    limits = Limits(silence_s=60.0, ping_frame_s=20.0)


def test_ping_frames_are_sent_at_their_interval_even_while_data_flow() -> None:
    feed, _ = make(Pinged, "A")
    feed.opened(0.0)
    sent = [second for second in range(1, 50) if Ping() in feed.tick(float(second), float(second))]
    assert sent == [20, 40]


class Negotiated(Eager):
    def connection_limits(self) -> Limits:
        return structs.replace(self.limits, ping_interval_s=5.0, silence_s=30.0)


def test_pings_that_the_exchange_counts_are_sent_while_data_flow() -> None:
    feed, _ = make(Eager, "A")
    feed.opened(0.0)
    feed.noticed([Acknowledged(("A@trade",))], 0.0)
    assert texts(run(feed, 0.25, 17.75)) == []
    assert texts(run(feed, 18.0, 35.75)) == ["ping"]
    assert texts(feed.tick(36.0, 36.0)) == ["ping"]


def test_the_exchange_may_set_limits_for_one_connection() -> None:
    feed, _ = make(Negotiated, "A")
    feed.opened(0.0)
    feed.noticed([Acknowledged(("A@trade",))], 0.0)
    assert texts(run(feed, 0.25, 10.0)) == ["ping", "ping"]
    assert of(Leave, feed.tick(40.0, 10.0)) == [Leave(ChildExit.STALE, "no frame for 30.0 s")]


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


def test_a_request_for_rotation_is_repeated() -> None:
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


def test_the_outbox_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "OUTBOX_COUNT", 2)
    feed, _ = make(Paced, "A B C")
    with pytest.raises(OverflowError):
        feed.opened(0.0)


def test_a_rejected_snapshot_makes_a_book_invalid_unless_it_flows() -> None:
    feed, adapter = make()
    feed.opened(0.0)
    assert not feed.flows("B@trade")
    data(adapter, "B@trade", 5)
    feed.tick(0.3, 0.2)
    assert feed.flows("B@trade")
    notices = [SnapshotRejected(wire, wire[0], "too old") for wire in ("A@trade", "B@trade", "unheard-of")]
    effects = feed.noticed(notices, 0.4)
    assert states(effects) == [("A@trade", "invalid")]
    assert of(TopicChanged, effects)[0].reason == "too old"


def test_a_lost_book_of_an_unknown_topic_is_ignored() -> None:
    feed, _ = make()
    feed.opened(0.0)
    assert feed.noticed([BookLost("unheard-of", "Z", "gap")], 0.1) == []


def test_a_rest_request_is_no_matter_of_the_connection() -> None:
    feed, _ = make()
    feed.opened(0.0)
    assert feed.noticed([RestRequest("depth A", "/depth?symbol=A")], 0.1) == []


class Brisk(Plain):
    """Trades follow each other within 20 s, a first event within 60 s."""

    limits = Limits(silence_s=45.0, acknowledge_s=10.0, first_event_s=60.0, stale_channel_s={"trade": 20.0})


def test_the_first_event_of_a_brisk_channel_is_awaited_no_longer_than_the_next() -> None:
    feed, _ = make(Brisk, "A")
    feed.opened(0.0)
    feed.noticed([Acknowledged(("A@trade",))], 0.0)
    assert states(run(feed, 0.25, 19.75)) == []
    assert states(run(feed, 20.0, 20.5)) == [("A@trade", "silent"), ("A@trade", "resubscribed")]


def test_a_topic_that_flows_long_enough_after_a_repetition_is_repeated_at_once_again() -> None:
    feed, adapter = make(symbols="A", stale_after_s=30.0)
    feed.opened(0.0)
    data(adapter, "A@trade", 1)
    assert texts(run(feed, 1.0, 35.0)) == ["-A@trade", "+A@trade"]
    for second in range(36, 136):
        data(adapter, "A@trade", second)
        feed.tick(float(second), float(second))
    effects = run(feed, 136.0, 166.0)
    assert states(effects) == [("A@trade", "stale"), ("A@trade", "resubscribed")]
    assert texts(effects) == ["-A@trade", "+A@trade"], "no backoff is left"
