"""Subscriptions, refusals and repetitions, driven through `ConnectionLife` without a clock or a socket."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.adapter.notices import (
    Acknowledged,
    Refused,
    Resubscribe,
)
from foxtrot_workers.feed import operator_requests
from foxtrot_workers.feed.connection_life import ConnectionLife
from foxtrot_workers.feed.effects import Answer, FeedEffect, Leave, Online, TopicChanged
from foxtrot_workers.feed.subscriptions import RESUBSCRIBES_MAX
from tests.workers.feed.life import Plain, data, make, of, run, states, texts


def test_a_refused_topic_is_invalid_and_the_others_go_on() -> None:
    feed, _ = make()
    feed.opened(0.0)
    effects = feed.noticed([Refused(("A@trade",), "no such symbol", "never"), Acknowledged(("B@trade",))], 1.0)
    assert ("A@trade", "invalid") in states(effects)
    assert of(TopicChanged, effects)[0].reason == "no such symbol"
    assert len(of(Online, effects)) == 1
    assert of(Leave, effects) == []


def test_a_delisted_symbol_ends_at_once_and_is_never_stale() -> None:
    feed, adapter = make()
    feed.opened(0.0)
    feed.noticed([Acknowledged(("A@trade", "B@trade"))], 0.1)
    effects = feed.delist(7, ["A", "C"], ["trade"], 1.0)
    assert states(effects) == [("A@trade", "delisted")]
    assert of(Answer, effects) == [Answer(7, "")]
    assert "-A@trade" in texts(effects + feed.tick(1.5, 1.5))
    data(adapter, "A@trade", 5)  # on its way while the exchange was asked
    assert [each.topic for each in feed.topics(2.0, 0)] == ["B@trade"]
    assert "A@trade" not in str(states(run(feed, 2.0, 60.0)))


def test_topics_are_left_once_all_of_their_symbol_are() -> None:
    """The engine takes the state of one for the end of them all."""
    feed, _ = make()
    feed.opened(0.0)
    feed.add(1, ["A", "B"], ["trade", "book"], 0.0)
    feed.noticed([Acknowledged(("A@trade", "A@book", "B@trade", "B@book"))], 0.1)
    feed.remove(7, ["A"], ["trade", "book"], 1.0)
    assert states(feed.noticed([Acknowledged(("A@trade",), subscribed=False)], 1.1)) == []
    effects = feed.noticed([Acknowledged(("A@book",), subscribed=False)], 1.2)
    assert states(effects) == [("A@trade", "unsubscribed"), ("A@book", "unsubscribed")]

    feed.remove(8, ["B"], ["trade", "book"], 2.0)
    feed.noticed([Acknowledged(("B@trade",), subscribed=False)], 2.1)
    feed.add(9, ["B"], ["trade", "book"], 2.2)
    effects = feed.noticed([Acknowledged(("B@trade", "B@book"), subscribed=False)], 2.3)
    assert states(effects) == [("B@trade", "unsubscribed"), ("B@book", "unsubscribed")]


def test_nothing_but_an_operator_subscribes_a_topic_that_is_being_left() -> None:
    feed, adapter = make()
    feed.opened(0.0)
    feed.add(1, ["A"], ["book"], 0.0)
    feed.noticed([Acknowledged(("A@trade", "A@book", "B@trade"))], 0.1)
    for wire in ("A@trade", "A@book", "B@trade"):
        data(adapter, wire, 1)
    feed.tick(0.5, 0.5)
    feed.remove(2, ["A"], ["trade", "book"], 1.0)
    assert texts(feed.resync(["A"], ["book"], 1.1)) == []
    assert "+A@book" not in texts(run(feed, 1.2, 60.0))
    assert "+A@book" in texts(feed.add(3, ["A"], ["book"], 61.0) + run(feed, 61.0, 62.0))


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


def test_a_refusal_without_topics_is_retried_for_all() -> None:
    feed, _ = make()
    feed.opened(0.0)
    assert texts(feed.noticed([Refused((), "60012: illegal request", "never", exact=False)], 0.1)) == []
    assert not any(topic.final for topic in feed.topics(0.1, 0))
    assert texts(run(feed, 0.25, 1.25)) == ["+A@trade", "+B@trade"]


def test_a_final_refusal_is_not_retried() -> None:
    feed, _ = make()
    feed.opened(0.0)
    feed.noticed([Refused(("A@trade",), "60018: doesn't exist", "never"), Acknowledged(("B@trade",))], 0.1)
    assert feed.topics(0.1, 0)[0].final
    assert texts(run(feed, 0.25, 50.0)) == []
    assert texts(feed.add(5, ["A", "B"], ["trade"], 50.0)) == ["+A@trade"], "unless somebody asks for it"


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


def test_resubscribing_is_bounded() -> None:
    feed, _ = make()
    feed.opened(0.0)
    assert texts(feed.noticed([Resubscribe("A@trade", "gap")], 1.0)) == ["-A@trade", "+A@trade"]
    assert feed.noticed([Resubscribe("unheard-of", "gap")], 1.0) == []
    effects: list[FeedEffect] = []
    for _ in range(RESUBSCRIBES_MAX):
        effects += feed.noticed([Resubscribe("A@trade", "gap")], 2.0)
    assert of(Leave, effects) == [], "one topic does not decide for all"
    assert states(effects) == [("A@trade", "invalid")]
    for _ in range(RESUBSCRIBES_MAX + 1):
        effects += feed.noticed([Resubscribe("B@trade", "gap")], 3.0)
    assert [leave.code for leave in of(Leave, effects)] == [ChildExit.STALE], "most of them are broken"


class Bookish(Plain):
    channels = frozenset({"trade", "book"})


def test_resync_subscribes_flowing_books_again() -> None:
    adapter = Bookish()
    channels = ["trade", "book"]
    feed = ConnectionLife(adapter, adapter.topics(channels, ["A", "B"]))
    feed.opened(0.0)
    assert feed.resync(["A", "B", "C"], channels, 0.5) == [], "what does not flow is being taken up anyway"
    for wire in ("A@book", "A@trade", "B@trade"):
        data(adapter, wire, 5)
    feed.tick(1.0, 1.0)
    for number in range(2 * RESUBSCRIBES_MAX):
        effects = feed.resync(["A", "B", "C"], channels, 2.0 + number)
        assert texts(effects) == ["-A@book", "+A@book"]
        assert of(Leave, effects) == [], "nothing is wrong with it"
    assert ("A@book", "flowing") in [(topic.topic, topic.state) for topic in feed.topics(2.0, 6)]


def test_resync_by_rest_needs_no_subscription() -> None:
    class Silent(Bookish):
        def resync(self, topics: Sequence[Topic]) -> list[Topic]:
            assert [topic.wire for topic in topics] == ["A@book"]
            return []

    adapter = Silent()
    feed = ConnectionLife(adapter, adapter.topics(["book"], ["A"]))
    feed.opened(0.0)
    data(adapter, "A@book", 5)
    feed.tick(1.0, 1.0)
    assert feed.resync(["A"], ["book"], 2.0) == []


def test_a_request_for_more_symbols_is_answered_when_the_exchange_acknowledges() -> None:
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
    monkeypatch.setattr(operator_requests, "REQUESTS_MAX", 0)
    assert "waiting" in of(Answer, feed.add(4, ["G"], ["trade"], 14.0))[0].error
    assert "waiting" in of(Answer, feed.remove(5, ["A"], ["trade"], 14.0))[0].error


def test_a_topic_to_resubscribe_that_the_connection_does_not_have_is_only_sent() -> None:
    class Generous(Plain):
        def resync(self, topics: Sequence[Topic]) -> list[Topic]:
            return [*topics, Topic("trade", "Z", "Z@trade")]

    feed, adapter = make(Generous, "A")
    feed.opened(0.0)
    data(adapter, "A@trade", 5)
    feed.tick(1.0, 1.0)
    assert texts(feed.resync(["A"], ["trade"], 2.0)) == ["-A@trade", "-Z@trade", "+A@trade", "+Z@trade"]
    assert [topic.topic for topic in feed.topics(2.0, 0)] == ["A@trade"]


def test_a_delisted_symbol_without_topics_is_answered_and_nothing_is_sent() -> None:
    feed, _ = make()
    feed.opened(0.0)
    effects = feed.delist(7, ["C"], ["trade"], 1.0)
    assert (states(effects), of(Answer, effects)) == ([], [Answer(7, "")])
    assert not [text for text in texts(run(feed, 1.0, 3.0)) if text.startswith("-")]


def test_the_end_of_an_unknown_topic_changes_nothing() -> None:
    feed, _ = make()
    feed.opened(0.0)
    assert states(feed.noticed([Acknowledged(("Z@trade",), subscribed=False)], 1.0)) == []
    assert [status.topic for status in feed.topics(1.0, 0)] == ["A@trade", "B@trade"]


def test_topics_that_are_all_being_left_are_not_subscribed_again() -> None:
    feed, _ = make()
    feed.opened(0.0)
    feed.noticed([Acknowledged(("A@trade", "B@trade"))], 0.1)
    feed.remove(2, ["A"], ["trade"], 1.0)
    assert "+A@trade" not in texts(feed.noticed([Resubscribe("A@trade", "why")], 1.1) + run(feed, 1.1, 5.0))
