"""The topics of a connection and the exchange's own list of them, driven through `ConnectionLife`."""

from __future__ import annotations

from foxtrot_workers.adapter.notices import Acknowledged, SubscriptionsListed
from foxtrot_workers.feed.connection_life import ConnectionLife
from foxtrot_workers.feed.effects import FeedEffect, TopicChanged
from foxtrot_workers.feed.reconciliation import RECONCILE_FIRST_S, RECONCILE_S
from tests.workers.feed.life import Plain, make, of, run, states, texts


class Asked(Plain):
    def list_subscriptions(self) -> list[str]:
        return ["?"]


def connected(kind: type[Plain] = Asked) -> ConnectionLife:
    feed, _ = make(kind)
    feed.opened(0.0)
    feed.noticed([Acknowledged(("A@trade", "B@trade"))], 1.0)
    return feed


def listed(feed: ConnectionLife, now: float, *wires: str) -> list[FeedEffect]:
    return feed.noticed([SubscriptionsListed(frozenset(wires))], now)


def test_a_topic_that_the_exchange_does_not_hold_is_subscribed_again() -> None:
    feed = connected()
    assert texts(run(feed, 1.25, RECONCILE_FIRST_S - 0.25)) == []
    asked_at = RECONCILE_FIRST_S
    assert texts(run(feed, asked_at, asked_at + 5.0)) == ["?"]
    effects = listed(feed, asked_at + 5.0, "A@trade", "X@trade")
    assert texts(effects) == ["-B@trade", "+B@trade"]
    assert states(effects) == [("B@trade", "resubscribed")]
    assert "does not list" in of(TopicChanged, effects)[0].reason
    assert listed(feed, asked_at + 6.0) == [], "an answer that nobody has asked for"
    feed.noticed([Acknowledged(("B@trade",))], asked_at + 6.0)
    again = run(feed, asked_at + 6.25, asked_at + RECONCILE_S)
    assert texts(again).count("?") == 1
    assert texts(listed(feed, asked_at + RECONCILE_S + 1.0, "A@trade", "B@trade")) == []


def test_what_changes_meanwhile_is_left_alone() -> None:
    feed = connected()
    run(feed, 1.25, RECONCILE_FIRST_S)
    feed.remove(1, ["B"], ["trade"], RECONCILE_FIRST_S + 1.0)
    assert texts(listed(feed, RECONCILE_FIRST_S + 2.0, "A@trade")) == []
    feed.noticed([Acknowledged(("B@trade",), subscribed=False)], RECONCILE_FIRST_S + 3.0)
    feed.add(2, ["C"], ["trade"], RECONCILE_FIRST_S + 4.0)
    feed.noticed([Acknowledged(("C@trade",))], RECONCILE_FIRST_S + 5.0)
    assert texts(listed(feed, RECONCILE_FIRST_S + 6.0, "A@trade")) == [], "the question is older than C"


def test_an_exchange_that_cannot_be_asked_is_not() -> None:
    feed = connected(Plain)
    assert "?" not in texts(run(feed, 1.25, 2 * RECONCILE_S))
