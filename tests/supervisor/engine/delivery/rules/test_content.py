"""Events told apart by content, and states of which the newest wins."""

from __future__ import annotations

import msgspec

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_LIQUIDATION,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    Bar,
    Liquidation,
    MarkPrice,
)
from tests.support.merge_world import A, B, Merge, quote, snapshot, trade


def test_identifiers_without_order_are_remembered() -> None:
    both = Merge({EVENT_MARKET_TRADE: "unique"})
    both.take(A, [trade("b"), trade("a")])
    assert both.take(B, [trade("c")]) is None, "it has just come: the other is about to bring it"
    assert both.merge.can_go_on("b")
    both.take(A, [trade("c"), trade("d")])
    both.take(B, [trade("c"), trade("e"), trade(""), trade("")])
    both.take(A, [trade("e")])
    assert both.seen == ["b", "a", "c", "d", "e", ""]
    both.merge.closed(A)
    both.merge.closed(B)
    both.merge.opened(("a", 2))
    both.take(("a", 2), [trade("f")])
    assert both.seen[-2:] == ["gap None..None", "f"]


def test_liquidations_are_known_by_all_that_they_say() -> None:
    both = Merge({EVENT_LIQUIDATION: "content"})
    one, two = (Liquidation("SIM", "X", 1, at, "buy", "1", "2") for at in (5, 6))
    other = Liquidation("SIM", "X", 1, 7, "buy", "1", "3")
    both.take(A, [one])
    both.take(B, [two])
    both.take(B, [other], may_wait=False)
    assert both.seen == ["Liquidation", "Liquidation"]


def test_the_newest_state_wins() -> None:
    both = Merge({EVENT_BBO: "latest"})
    both.take(A, [quote(5), quote(8)])
    both.take(B, [quote(7), quote(8), quote(9)])
    both.take(A, [quote(9), quote(10)])
    assert both.seen == ["quote 5", "quote 8", "quote 9", "quote 10"]


def test_states_by_exchange_time_and_content() -> None:
    both = Merge({EVENT_MARK_PRICE: "latest"})
    prices = [MarkPrice("SIM", "X", at, 1, price) for at, price in ((5, "1"), (5, "2"), (4, "0"), (6, "2"))]
    both.take(A, prices)
    both.take(B, prices)
    assert both.seen == ["MarkPrice"] * 3
    both.take(A, [MarkPrice("SIM", "X", 6, 1, "3")])
    both.take(B, [MarkPrice("SIM", "X", 6, 1, "3"), MarkPrice("SIM", "X", 6, 1, "2")])
    assert both.seen == ["MarkPrice"] * 4


def test_bars_of_different_intervals_are_different_streams() -> None:
    both = Merge({EVENT_BAR: "latest"})
    bars = [
        Bar("SIM", "X", exchange_ns, 1, interval, start_ns, "1", "2", "1", close, "5", closed)
        for exchange_ns, interval, start_ns, close, closed in (
            (0, "1m", 60, "1", False),
            (0, "1m", 60, "2", False),
            (0, "5m", 0, "2", False),
            (0, "1m", 60, "2", True),
            (0, "1m", 120, "2", False),
            (200, "5m", 0, "3", False),
        )
    ]
    both.take(A, bars)
    both.take(B, bars)
    assert both.seen == ["Bar"] * 6


def test_a_state_after_a_time_without_anybody() -> None:
    alone = Merge({EVENT_MARK_PRICE: "latest"}, A)
    alone.take(A, [MarkPrice("SIM", "X", 5, 1, "1")])
    for incarnation, price in ((2, "1"), (3, "4")):
        alone.merge.closed(("a", incarnation - 1))
        alone.merge.opened(("a", incarnation))
        alone.take(("a", incarnation), [MarkPrice("SIM", "X", 5, 9, price)])
    assert alone.seen == ["MarkPrice", "gap None..None", "MarkPrice"], "an equal state has missed nothing"


def test_pictures_are_states() -> None:
    both = Merge({EVENT_BOOK: "latest"})
    both.take(A, [snapshot(10), snapshot(12)])
    both.take(B, [snapshot(11), snapshot(12), snapshot(13), snapshot(None)])
    assert both.seen == ["s10", "s12", "s13"]


def test_what_was_added_here_is_no_content() -> None:
    """Two copies of a trade without identifier differ in when they were received and sent, and how often."""
    both = Merge({EVENT_MARKET_TRADE: "content"})
    one = trade("")
    both.take(A, [one])
    for added in ({"receive_ns": 99}, {"publish_ns": 7}, {"redelivered": True}):
        both.take(B, [msgspec.structs.replace(one, **added)], may_wait=False)
    assert both.seen == [""]
    both.take(B, [msgspec.structs.replace(one, count=2)], may_wait=False)
    assert both.seen == ["", ""]
