"""Exchanges that count anew, and twins that lag meanwhile."""

from __future__ import annotations

from foxtrot_protocol.events import EVENT_BBO, EVENT_MARKET_TRADE
from foxtrot_supervisor.engine.delivery.rules.resets import RESET_QUIET_NS
from tests.support.merge_world import BOOKS, A, Merge, delta, quote, snapshot, trade, trades


def test_an_exchange_that_counts_anew_is_followed_and_announced() -> None:
    alone = Merge(None, A)
    alone.take(A, [trade(500, ns=10**12), trade(3, ns=10**12 + 10**8)])
    alone.take(A, [trade(4, ns=10**12 + 10**9), trade(5, ns=10**12 + 10**9)])
    assert alone.seen == ["500", "gap 3..3", "4", "5"]
    alone.take(A, [trade(501, ns=10**12)])
    assert alone.seen[-1] == "5", "what is left of the count before is a copy"


def test_without_exchange_times_a_long_silence_tells_of_a_new_count() -> None:
    alone = Merge({EVENT_BBO: "latest"}, A)
    alone.take(A, [quote(500, receive_ns=1), quote(3, receive_ns=2), quote(4, receive_ns=RESET_QUIET_NS + 2)])
    assert alone.seen == ["quote 500", "gap 3..3", "quote 4"]


def test_growing_identifiers_that_overlap_have_missed_nothing() -> None:
    alone = Merge({EVENT_MARKET_TRADE: "increasing"}, A)
    alone.take(A, trades(5))
    alone.merge.closed(A)
    alone.merge.opened(("a", 2))
    alone.take(("a", 2), trades(5, 30))
    alone.take(("a", 2), [trade("odd"), trade(3, ns=10**12), trade(31, ns=1)])
    assert alone.seen == ["5", "30", "odd", "gap None..None", "3"]


def test_a_state_of_an_older_count_is_no_news() -> None:
    alone = Merge({EVENT_BBO: "latest"}, A)
    alone.take(A, [quote(500, ns=10**12), quote(3, ns=2 * 10**12), quote(501, ns=10**12)])
    alone.take(A, [quote(502, ns=10**12)])
    assert alone.seen == ["quote 500", "gap None..None", "quote 3"]


def test_an_exchange_that_counts_a_book_anew() -> None:
    alone = Merge(BOOKS, A)
    alone.take(A, [snapshot(100), delta(101, 101, ns=10**12)])
    alone.take(A, [delta(5, 5, ns=2 * 10**12)])
    alone.take(A, [delta(6, 6, ns=2 * 10**12), snapshot(7), delta(8, 8, ns=2 * 10**12)])
    alone.take(A, [delta(105, 106, ns=10**12)])
    assert alone.seen == ["s100", "d101-101", "gap None..None", "s7", "d8-8"]
