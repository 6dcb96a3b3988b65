"""Sequence resets of exchanges, and twins that lag meanwhile."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_MARK_PRICE, EVENT_MARKET_TRADE, MarkPrice
from foxtrot_supervisor.engine.delivery.rules.resets import RESET_QUIET_NS
from tests.support.merge_world import BOOKS, A, B, Merge, delta, quote, snapshot, trade, trades


def test_a_sequence_reset_is_followed_and_announced() -> None:
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


def test_a_sequence_reset_of_a_book() -> None:
    alone = Merge(BOOKS, A)
    alone.take(A, [snapshot(100), delta(101, 101, ns=10**12)])
    alone.take(A, [delta(5, 5, ns=2 * 10**12)])
    alone.take(A, [delta(6, 6, ns=2 * 10**12), snapshot(7), delta(8, 8, ns=2 * 10**12)])
    alone.take(A, [delta(105, 106, ns=10**12)])
    assert alone.seen == ["s100", "d101-101", "gap None..None", "s7", "d8-8"]


# ---- evidence of a reset, and twins that lag meanwhile

QUOTES = {EVENT_BBO: "latest"}
SECOND = 10**9


def quotes(*numbers: int, at: int = SECOND) -> list[Any]:
    """Quotes without exchange times, received from `at` on."""
    return [quote(number, receive_ns=at + place) for place, number in enumerate(numbers)]


def test_a_side_that_goes_back_three_times_in_a_row_shows_a_reset_without_any_time() -> None:
    alone = Merge(QUOTES, A)
    alone.take(A, quotes(500, 501))
    alone.take(A, quotes(1, 2))
    assert alone.seen[2:] == []
    alone.take(A, quotes(3, 4))
    assert alone.seen[2:] == ["gap 1..2", "quote 3", "quote 4"]


def test_one_late_identifier_is_no_reset() -> None:
    alone = Merge(QUOTES, A)
    for number in range(500, 520, 2):
        alone.take(A, quotes(number, number - 1, number + 1))
    assert all(shown.startswith("quote") for shown in alone.seen)
    assert len(alone.seen) == 20


def test_a_twin_that_lags_is_no_reset_however_far() -> None:
    both = Merge(QUOTES)
    both.take(A, quotes(500))
    both.take(B, quotes(500, 501))
    both.take(A, quotes(*range(501, 600)))
    both.take(B, quotes(*range(502, 590), at=60 * SECOND))
    both.take(B, quotes(*range(590, 602), at=120 * SECOND))
    assert both.seen == [f"quote {number}" for number in range(500, 602)]


def test_the_rest_of_the_old_count_comes_first_and_each_event_once() -> None:
    both = Merge(QUOTES)
    both.take(A, quotes(500))
    both.take(B, quotes(500, 501))
    both.take(A, quotes(501, 502))
    new = quotes(1, 2, 3, 4)
    assert both.take(A, new) is None, "the twin still brings the old count"
    both.take(B, quotes(502, 503))
    assert both.take(A, new) is None
    both.take(B, quotes(1, 2, 3))
    both.take(A, new)
    both.take(B, quotes(4, 5))
    both.take(A, quotes(5, 6))
    expected = [
        "quote 500",
        "quote 501",
        "quote 502",
        "quote 503",
        "gap 1..2",
        "quote 3",
        "quote 4",
        "quote 5",
        "quote 6",
    ]
    assert both.seen == expected


def test_what_a_twin_that_was_not_waited_for_brings_of_the_old_count_is_a_copy() -> None:
    both = Merge(QUOTES)
    both.take(A, quotes(500))
    both.take(B, quotes(500))
    both.take(A, quotes(*range(501, 520)))
    both.take(A, quotes(1, 2, 3), may_wait=False)
    both.take(B, quotes(*range(501, 510)))
    both.take(A, quotes(4, 5))
    both.take(B, quotes(*range(510, 520), 1, 2, 3, 4, 5, 6))
    assert both.seen[20:] == ["gap 1..2", "quote 3", "quote 4", "quote 5", "quote 6"]


def test_a_new_connection_that_begins_below_is_a_reset_if_it_came_later() -> None:
    for later_ns, shown in ((SECOND, ["gap 1..2", "quote 3"]), (SECOND // 10, [])):
        alone = Merge(QUOTES, A)
        alone.take(A, quotes(500))
        alone.merge.closed(A)
        alone.merge.opened(("a", 2))
        for number in (1, 2, 3):
            alone.take(("a", 2), quotes(number, at=SECOND + later_ns + number))
        assert alone.seen[1:] == shown


def reconnected(first: int, last: int) -> Merge:
    """A stream at 1_000_000 whose connection is replaced within 0.1 s; the new one brings `first` to `last` in 1 s."""
    alone = Merge(QUOTES, A)
    alone.take(A, quotes(1_000_000))
    alone.merge.closed(A)
    alone.merge.opened(("a", 2))
    for place, number in enumerate(range(first, last + 1)):
        alone.take(("a", 2), quotes(number, at=SECOND + SECOND // 10 + place * SECOND // (last - first)))
    return alone


def test_a_new_connection_far_below_is_a_reset_within_a_second_although_it_came_at_once() -> None:
    alone = reconnected(1, 101)
    assert alone.seen[1:3] == ["gap 1..41", "quote 42"]
    assert len(alone.seen) == 2 + 60


def test_a_new_connection_that_lags_by_some_seconds_is_no_reset() -> None:
    alone = reconnected(999_850, 1_000_050)
    assert alone.seen == [f"quote {number}" for number in range(1_000_000, 1_000_051)]


def test_a_new_connection_a_little_below_is_a_reset_if_it_does_not_catch_up() -> None:
    alone = reconnected(999_500, 999_700)
    assert alone.seen == ["quote 1000000"]
    alone.take(("a", 2), quotes(999_900, at=SECOND + RESET_QUIET_NS + 1))
    assert alone.seen[1:] == ["gap 999500..999899", "quote 999900"]


def test_partial_books_and_times_that_begin_again() -> None:
    books = Merge({EVENT_BOOK: "latest"}, A)
    books.take(A, [snapshot(500), snapshot(501), snapshot(3), snapshot(3), snapshot(4), snapshot(5)])
    assert books.seen == ["s500", "s501", "gap 3..4", "s5"]
    prices = Merge({EVENT_MARK_PRICE: "latest"}, A)
    hour, step = 3600 * SECOND, SECOND
    times = [hour, hour + step, step, 2 * step, 3 * step, 4 * step]
    prices.take(A, [MarkPrice("SIM", "X", at, 1, "1") for at in times])
    assert prices.seen == ["MarkPrice", "MarkPrice", f"gap {step}..{3 * step - 1}", "MarkPrice", "MarkPrice"]


def test_trades_of_a_reset_follow_at_once_and_what_was_dropped_is_bounded() -> None:
    alone = Merge(None, A)
    at = 10**12
    alone.take(A, [trade(500, ns=at), *(trade(number, ns=at + number) for number in (1, 2, 3, 4))])
    assert alone.seen == ["500", "gap 1..2", "3", "4"]


def test_a_book_that_begins_again_is_lost_until_its_snapshot_and_the_old_count_does_no_harm() -> None:
    both = Merge({EVENT_BOOK: "update_ids"})
    both.take(A, [snapshot(100), delta(101, 101)])
    both.take(B, [snapshot(100), delta(101, 101)])
    both.take(A, [delta(102, 102), delta(103, 103)])
    assert both.take(A, [delta(1, 1), delta(2, 2), delta(3, 3)]) is None
    both.merge.give_up("a")
    both.take(A, [delta(1, 1), delta(2, 2), delta(3, 3)])
    assert both.merge.unknown_books() == ["X"]
    both.take(A, [snapshot(3), delta(4, 4)])
    both.take(B, [delta(102, 102), delta(103, 103), delta(2, 2), delta(4, 4), delta(5, 5)])
    both.take(A, [delta(5, 5), delta(6, 6)])
    assert both.seen == ["s100", "d101-101", "d102-102", "d103-103", "gap None..None", "s3", "d4-4", "d5-5", "d6-6"]


def test_a_snapshot_below_what_its_side_has_brought_is_followed_at_once() -> None:
    alone = Merge({EVENT_BOOK: "chained"}, A)
    alone.take(A, [snapshot(100), delta(100, 101), snapshot(5), delta(5, 6)])
    assert alone.seen == ["s100", "d100-101", "gap None..None", "s5", "d5-6"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 5)), max_size=40), st.booleans())
def test_each_quote_of_two_counts_comes_once_whatever_the_lag(takes: list[tuple[str, int]], dated: bool) -> None:
    numbers = [*range(500, 520), *range(1, 21)]
    events = [quote(number, receive_ns=place, ns=dated * (10**12 + place)) for place, number in enumerate(numbers)]
    both = Merge(QUOTES)
    ahead = {"a": list(events), "b": list(events)}
    for name in "ab":
        both.take((name, 1), ahead[name][:1])
        del ahead[name][:1]
    for name, size in [*takes, *[("a", 5), ("b", 5)] * 40]:
        if ahead[name] and both.take((name, 1), ahead[name][:size]) is not None:
            del ahead[name][:size]
    assert ahead == {"a": [], "b": []}, "nobody waits for ever"
    old, new = [f"quote {number}" for number in range(500, 520)], [f"quote {number}" for number in range(3, 21)]
    assert both.seen == [*old, "gap 1..2", *new]
