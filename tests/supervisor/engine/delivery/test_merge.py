"""Two workers of one connection: each event once, in order, holes named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_LIQUIDATION,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    Bar,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Gap,
    Liquidation,
    MarkPrice,
    Quote,
    Trade,
)
from foxtrot_supervisor.engine.delivery.merge import Admission, StreamMerge
from foxtrot_supervisor.engine.delivery.rules.resets import RESET_QUIET_NS
from foxtrot_supervisor.engine.delivery.rules.table import fitting_rule
from foxtrot_supervisor.engine.delivery.streams import HOLES_MAX, FoundHole, Stream, StreamKey, StreamState

TRADES = {EVENT_MARKET_TRADE: "sequence"}
A, B = ("a", 1), ("b", 1)


def trade(number: int | str, *, ns: int = 0, symbol: str = "X", backfilled: bool = False) -> Trade[str]:
    at = ns or (int(number) * 1000 if len(str(number)) < 9 and str(number).isdigit() else 1)
    return Trade("SIM", symbol, at, at + 1, "1", "1", "buy", str(number), backfilled=backfilled)


def trades(*numbers: int) -> list[Any]:
    return [trade(number) for number in numbers]


class Merge:
    """A merge of which everything that it admits is handled at once; `seen` as texts."""

    def __init__(self, rules: dict[str, Any] | None = None, *sides: tuple[str, int]) -> None:
        self.merge = StreamMerge(TRADES if rules is None else rules)
        for side in sides or (A, B):
            self.merge.opened(side)
        self.seen: list[str] = []
        self.holes: list[FoundHole] = []

    def take(self, side: tuple[str, int], events: list[Any], *, may_wait: bool = True) -> Admission | None:
        admission = self.merge.admit(side, events, may_wait=may_wait)
        if admission is None:
            return None
        assert admission.applied + admission.deduplicated + admission.lost == len(events)
        self.merge.settle()
        # that a snapshot fills the hole before it: test_healing
        self.seen.extend(told(event) for event in admission.events if not mends_a_book(event))
        self.holes.extend(admission.holes)
        return admission


def mends_a_book(event: Any) -> bool:
    return isinstance(event, Gap) and event.filled and event.stream == EVENT_BOOK


def told(event: Any) -> str:
    if isinstance(event, Gap):
        return f"gap {event.first_id}..{event.last_id}" + (" filled" if event.filled else "")
    late = "+" if event.backfilled else ""
    if isinstance(event, Trade):
        return event.trade_id + late
    if isinstance(event, Quote):
        return f"quote {event.update_id}"
    if isinstance(event, BookSnapshot):
        return f"s{event.last_id}"
    if isinstance(event, BookDelta):
        return f"d{event.first_id}-{event.last_id}"
    return type(event).__name__


def test_the_first_to_bring_an_event_wins() -> None:
    both = Merge()
    assert both.take(A, trades(5, 6, 7)) is not None
    admission = both.take(B, trades(6, 7, 8))
    assert admission is not None
    assert (admission.kept, admission.applied, admission.deduplicated) == ([2], 1, 2)
    both.take(A, trades(8, 9))
    assert both.seen == ["5", "6", "7", "8", "9"]


def test_a_batch_of_which_all_is_new_is_passed_on_as_it_is() -> None:
    both = Merge()
    batch = trades(5, 6, 7)
    admission = both.take(A, batch)
    assert admission is not None
    assert admission.events is batch
    assert admission.kept is None


def test_a_hole_waits_for_the_other_worker_and_is_filled_in_order() -> None:
    both = Merge()
    both.take(A, trades(5))
    assert both.take(B, trades(8, 9)) is None
    assert not both.merge.can_go_on("b")
    both.take(A, trades(6, 7))
    assert both.merge.can_go_on("b")
    both.take(B, trades(8, 9))
    both.take(A, trades(8, 9, 10))
    assert both.seen == ["5", "6", "7", "8", "9", "10"]
    assert both.holes == []


def test_a_hole_that_nobody_can_fill_is_announced_exactly() -> None:
    alone = Merge(None, A)
    alone.take(A, trades(5))
    alone.take(A, trades(8, 9))
    assert alone.seen == ["5", "gap 6..7", "8", "9"]
    assert alone.holes == [FoundHole("X", EVENT_MARKET_TRADE, "6", "7", 5001, 8001)]


def test_two_workers_that_wait_for_each_other_do_not() -> None:
    both = Merge()
    both.take(A, trades(5))
    assert both.take(A, trades(20, 21)) is None
    assert both.take(B, trades(25)) is None, "the other may bring 20 to 24"
    assert both.merge.can_go_on("a"), "the other stands at 25"
    both.take(A, trades(20, 21))
    assert both.seen == ["5", "gap 6..19", "20", "21"]
    assert both.take(B, trades(25)) is None
    both.take(A, trades(22, 23, 24, 25))
    both.take(B, trades(25, 26))
    assert both.seen[-2:] == ["25", "26"]


def test_what_comes_of_an_announced_hole_is_applied_and_marked() -> None:
    both = Merge()
    both.take(A, trades(5))
    both.take(A, trades(9), may_wait=False)
    both.take(B, trades(6, 7))
    both.take(A, trades(10))
    both.take(B, trades(8, 9, 10, 11))
    assert both.seen == ["5", "gap 6..8", "9", "6+", "7+", "gap 6..7 filled", "10", "8+", "11", "gap 8..8 filled"]


def test_backfill_fills_open_holes_only() -> None:
    alone = Merge(None, A)
    alone.take(A, trades(5, 9))
    filled = Gap("SIM", "X", 0, 1, EVENT_MARKET_TRADE, "6", "8", 1, 2, "", filled=True)
    late = [trade(number, backfilled=True) for number in (5, 6, 7, 8, 9)]
    alone.take(A, [*late, filled])
    alone.take(A, [*late, filled])
    assert alone.seen == ["5", "gap 6..8", "9", "6+", "7+", "8+", "gap 6..8 filled"]
    assert alone.merge.open_holes() == []


# ---- trades that are counted


def test_batches_are_cut_anyhow_and_symbols_are_told_apart() -> None:
    both = Merge()
    both.take(A, [trade(5), trade(90, symbol="Y"), trade(6)])
    both.take(B, [trade(5), trade(6), trade(90, symbol="Y"), trade(7), trade(91, symbol="Y")])
    assert both.seen == ["5", "90", "6", "7", "91"]


def test_a_waiting_batch_changes_nothing() -> None:
    both = Merge()
    both.take(A, trades(5))
    held = [trade(6), trade(9, symbol="Y"), trade(8)]
    assert both.take(B, held) is None
    both.take(A, [trade(6), trade(7), trade(9, symbol="Y")])
    both.take(B, held)
    assert both.seen == ["5", "6", "7", "9", "8"]


def test_a_worker_that_was_waited_for_in_vain_is_not_waited_for_again_until_it_brings_something() -> None:
    both = Merge()
    both.take(A, trades(5))
    assert both.take(A, trades(8)) is None
    both.merge.give_up("a")
    both.take(A, trades(8), may_wait=False)
    both.take(A, trades(11))
    both.take(B, trades(11))
    assert both.take(A, trades(14)) is None
    assert both.seen == ["5", "gap 6..7", "8", "gap 9..10", "11"]


def test_a_worker_that_is_gone_is_not_waited_for() -> None:
    both = Merge()
    both.take(A, trades(5))
    assert both.take(A, trades(8)) is None
    both.merge.closed(B)
    assert both.merge.can_go_on("a")
    both.take(A, trades(8))
    assert both.seen == ["5", "gap 6..7", "8"]
    assert both.merge.sides_open == 1
    assert both.merge.closed(("c", 1)) == []


def test_the_next_incarnation_of_a_side_keeps_it_open() -> None:
    both = Merge(None, A, B, ("b", 2))
    both.take(A, trades(5))
    both.merge.closed(B)
    assert both.take(A, trades(8)) is None


def test_an_exchange_that_counts_anew_is_followed_and_announced() -> None:
    alone = Merge(None, A)
    alone.take(A, [trade(500, ns=10**12), trade(3, ns=10**12 + 10**8)])
    alone.take(A, [trade(4, ns=10**12 + 10**9), trade(5, ns=10**12 + 10**9)])
    assert alone.seen == ["500", "gap None..None", "4", "5"]
    alone.take(A, [trade(501, ns=10**12)])
    assert alone.seen[-1] == "5", "what is left of the count before is a copy"


def test_without_exchange_times_a_long_silence_tells_of_a_new_count() -> None:
    alone = Merge({EVENT_BBO: "latest"}, A)
    alone.take(A, [quote(500, receive_ns=1), quote(3, receive_ns=2), quote(4, receive_ns=RESET_QUIET_NS + 2)])
    assert alone.seen == ["quote 500", "gap None..None", "quote 4"]


def test_identifiers_that_are_no_numbers_are_remembered() -> None:
    both = Merge()
    for side in (A, B):
        both.take(side, [trade("x"), trade("y"), trade(str(1 << 63)), trade("-1")])
    assert both.seen == ["x", "y", str(1 << 63), "-1"]


def test_a_hole_is_filled_from_any_end_and_by_pieces() -> None:
    alone = Merge(None, A)
    alone.take(A, trades(5, 10, 14))
    late = [trade(number, backfilled=True) for number in (7, 6, 9, 12)]
    alone.take(A, [*late, gap("6", "13", filled=True)])
    assert alone.seen == ["5", "gap 6..9", "10", "gap 11..13", "14", "7+", "6+", "9+", "12+", "gap 6..13 filled"]
    assert alone.merge.open_holes() == []
    alone.take(A, [gap("6", "13", filled=True)])
    assert alone.seen[-1] == "gap 6..13 filled"
    assert len(alone.seen) == 10, "told once"


def test_what_lies_outside_what_was_filled_stays_open() -> None:
    alone = Merge(None, A)
    alone.take(A, trades(5, 20, 30))
    alone.take(A, [trade(10, backfilled=True), gap("9", "12", filled=True)])
    assert [(hole.first_id, hole.last_id) for hole in alone.merge.open_holes()] == [
        ("21", "29"),
        ("6", "8"),
        ("13", "19"),
    ]


def test_open_holes_are_bounded() -> None:
    alone = Merge(None, A)
    for number in range(0, 2 * HOLES_MAX + 4, 2):
        alone.take(A, trades(number))
    assert len(alone.merge.open_holes()) == HOLES_MAX
    alone.take(A, [trade(1, backfilled=True)])
    assert "1+" not in alone.seen, "given up"


def test_a_late_batch_that_has_to_wait_is_not_marked_for_ever() -> None:
    both = Merge()
    both.take(A, trades(5))
    both.take(A, trades(9), may_wait=False)
    held = trades(6, 12)
    assert both.take(B, held) is None
    assert not held[0].backfilled
    both.take(B, held, may_wait=False)
    assert both.seen == ["5", "gap 6..8", "9", "6+", "gap 10..11", "12", "gap 6..6 filled"]


# ---- what workers announce themselves


def test_what_a_worker_dropped_is_announced_if_the_other_did_too() -> None:
    both = Merge()
    both.take(A, trades(5))
    dropped = [gap("6", "9"), trade(10)]
    assert both.take(A, dropped) is None
    both.take(B, trades(5, 6, 7))
    both.take(B, [gap("8", "8"), trade(9)])
    both.take(A, dropped)
    both.take(B, [trade(10), trade(11)])
    assert both.seen == ["5", "6", "7", "gap 8..8", "9", "10", "11"], "the other stands at 10: it will not bring 8"


def test_what_a_worker_dropped_and_the_other_brought_is_no_gap() -> None:
    both = Merge()
    both.take(A, trades(5))
    assert both.take(A, [gap("6", "9"), trade(10)]) is None
    both.take(B, trades(6, 7, 8, 9, 10))
    admission = both.take(A, [gap("6", "9"), trade(10), trade(11)])
    assert admission is not None
    assert admission.deduplicated == 2
    assert both.seen == ["5", "6", "7", "8", "9", "10", "11"]


def test_other_gaps_pass_unless_the_other_goes_on() -> None:
    rules: dict[str, Any] = {EVENT_BBO: "latest", EVENT_MARKET_TRADE: "sequence"}
    both = Merge(rules)
    both.take(A, [gap(None, None, stream=""), gap("1", "2"), quote(5), gap("6", "6", stream=EVENT_BBO)])
    both.take(B, [quote(6), gap("6", "6", stream=EVENT_BBO)])
    assert both.seen == ["gap None..None", "gap 1..2", "quote 5", "gap 6..6", "quote 6"]
    both.merge.closed(A)
    both.take(B, [gap("7", "7", stream=EVENT_BBO), gap("7", "7", stream=EVENT_BBO, filled=True)])
    assert both.seen[-2:] == ["gap 7..7", "gap 7..7 filled"]


def test_feed_states_of_both_workers_are_shown() -> None:
    both = Merge()
    for side in (A, B):
        both.take(side, [FeedStatus("SIM", "X", 0, 1, "x@trade", "flowing", 0.0)])
    assert both.seen == ["FeedStatus", "FeedStatus"]


# ---- identifiers that grow or have no order


def test_growing_identifiers_leap_and_are_had_once() -> None:
    both = Merge({EVENT_MARKET_TRADE: "increasing"})
    both.take(A, trades(5, 9))
    assert both.take(B, trades(12)) is None, "it has just come: what lies between is on its way by the other"
    both.take(A, trades(10, 12, 15))
    both.take(B, trades(12, 15, 20))
    both.take(A, trades(20))
    assert both.seen == ["5", "9", "10", "12", "15", "20"]


def test_growing_identifiers_after_a_time_without_anybody() -> None:
    alone = Merge({EVENT_MARKET_TRADE: "increasing"}, A)
    alone.take(A, trades(5))
    alone.merge.closed(A)
    alone.merge.opened(("a", 2))
    alone.take(("a", 2), trades(9, 30))
    assert alone.seen == ["5", "gap 6..8", "9", "30"]
    assert [(hole.first_id, hole.last_id) for hole in alone.holes] == [("6", "8")]
    alone.take(("a", 2), [trade(7, backfilled=True), gap("6", "8", filled=True)])
    assert alone.seen[-2:] == ["7+", "gap 6..8 filled"]


def test_growing_identifiers_that_overlap_have_missed_nothing() -> None:
    alone = Merge({EVENT_MARKET_TRADE: "increasing"}, A)
    alone.take(A, trades(5))
    alone.merge.closed(A)
    alone.merge.opened(("a", 2))
    alone.take(("a", 2), trades(5, 30))
    alone.take(("a", 2), [trade("odd"), trade(3, ns=10**12), trade(31, ns=1)])
    assert alone.seen == ["5", "30", "odd", "gap None..None", "3"]


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


def test_the_memory_of_events_without_order_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.engine.delivery.streams.REMEMBERED_MAX", 3)
    alone = Merge({EVENT_MARKET_TRADE: "unique"}, A)
    alone.take(A, [trade(name) for name in "abcde"])
    alone.take(A, [trade("a"), trade("e")])
    assert alone.seen == [*"abcde", "a"]


def test_liquidations_are_known_by_all_that_they_say() -> None:
    both = Merge({EVENT_LIQUIDATION: "content"})
    one, two = (Liquidation("SIM", "X", 1, at, "buy", "1", "2") for at in (5, 6))
    other = Liquidation("SIM", "X", 1, 7, "buy", "1", "3")
    both.take(A, [one])
    both.take(B, [two])
    both.take(B, [other], may_wait=False)
    assert both.seen == ["Liquidation", "Liquidation"]


# ---- states


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


def test_a_state_of_an_older_count_is_no_news() -> None:
    alone = Merge({EVENT_BBO: "latest"}, A)
    alone.take(A, [quote(500, ns=10**12), quote(3, ns=2 * 10**12), quote(501, ns=10**12)])
    alone.take(A, [quote(502, ns=10**12)])
    assert alone.seen == ["quote 500", "gap None..None", "quote 3"]


# ---- books

BOOKS: dict[str, Any] = {EVENT_BOOK: "update_ids"}
CHAINED: dict[str, Any] = {EVENT_BOOK: "chained"}


def test_a_book_goes_on_across_sides_without_its_snapshots() -> None:
    both = Merge(BOOKS)
    both.take(A, [snapshot(10), delta(11, 12)])
    assert both.take(B, [snapshot(14)]) is None, "the other is about to reach it"
    both.take(A, [delta(13, 14)])
    both.take(B, [snapshot(14), delta(15, 15)])
    both.take(A, [delta(15, 15), delta(16, 18)])
    both.take(B, [delta(16, 18), delta(19, 19)])
    both.merge.closed(A)
    both.take(B, [delta(20, 20)])
    assert both.seen == ["s10", "d11-12", "d13-14", "d15-15", "d16-18", "d19-19", "d20-20"]


def test_a_snapshot_that_the_other_does_not_reach_is_taken() -> None:
    both = Merge(BOOKS)
    both.take(A, [snapshot(10)])
    both.take(B, [snapshot(14), delta(15, 15)], may_wait=False)
    both.take(A, [delta(11, 14), delta(15, 15), delta(16, 16)])
    assert both.seen == ["s10", "gap 11..14", "s14", "d15-15", "d16-16"]


def test_a_book_after_a_time_without_anybody_begins_anew() -> None:
    alone = Merge(BOOKS, A)
    alone.take(A, [snapshot(10), delta(11, 11)])
    for incarnation, number in ((2, 20), (3, 15)):
        alone.merge.closed(("a", incarnation - 1))
        alone.merge.opened(("a", incarnation))
        alone.take(("a", incarnation), [snapshot(number), delta(number + 1, number + 1)])
    assert alone.seen == ["s10", "d11-11", "gap 12..20", "s20", "d21-21", "s15", "d16-16"]


def test_a_hole_in_a_book_waits_for_the_other_and_else_ends_it_until_a_snapshot() -> None:
    both = Merge(BOOKS)
    both.take(A, [snapshot(10)])
    assert both.take(B, [delta(13, 13)]) is None
    both.take(A, [delta(11, 12)])
    both.take(B, [delta(13, 13)])
    both.merge.closed(A)
    admission = both.take(B, [delta(20, 21), delta(22, 22), delta(9, 9), snapshot(25), delta(26, 26)])
    assert admission is not None
    assert (admission.applied, admission.deduplicated, admission.lost) == (2, 1, 2)
    assert both.seen == ["s10", "d11-12", "d13-13", "gap 14..19", "s25", "d26-26"]


def test_updates_that_overlap_are_applied_and_older_ones_are_copies() -> None:
    alone = Merge(BOOKS, A)
    alone.take(A, [snapshot(10), delta(8, 12), delta(9, 12), delta(11, 12), delta(13, 14, first_known=False)])
    assert alone.seen == ["s10", "d8-12", "dNone-14"]


def test_an_exchange_that_counts_a_book_anew() -> None:
    alone = Merge(BOOKS, A)
    alone.take(A, [snapshot(100), delta(101, 101, ns=10**12)])
    alone.take(A, [delta(5, 5, ns=2 * 10**12)])
    alone.take(A, [delta(6, 6, ns=2 * 10**12), snapshot(7), delta(8, 8, ns=2 * 10**12)])
    alone.take(A, [delta(105, 106, ns=10**12)])
    assert alone.seen == ["s100", "d101-101", "gap None..None", "s7", "d8-8"]


def test_a_chained_book() -> None:
    both = Merge(CHAINED)
    both.take(A, [snapshot(10), delta(10, 15), delta(15, 3), delta(3, 8)])
    both.take(B, [snapshot(2), delta(2, 3), delta(3, 8), delta(8, 9)])
    both.take(A, [delta(8, 9)])
    assert both.seen == ["s10", "d10-15", "d15-3", "d3-8", "d8-9"]
    assert both.take(B, [delta(12, 14)]) is None
    both.merge.closed(A)
    both.take(B, [delta(12, 14), delta(14, 16), snapshot(20), snapshot(30), delta(30, 31)])
    assert both.seen[5:] == ["gap None..12", "s20", "gap None..30", "s30", "d30-31"]


def test_a_workers_own_word_that_its_book_is_lost() -> None:
    both = Merge(BOOKS)
    both.take(A, [snapshot(10)])
    both.take(B, [snapshot(10), gap("11", "12", stream=EVENT_BOOK)])
    both.take(A, [delta(11, 13)])
    both.take(B, [snapshot(13), delta(14, 14)])
    both.merge.closed(A)
    both.take(B, [gap("15", "16", stream=EVENT_BOOK), snapshot(20), delta(21, 21)])
    assert both.seen == ["s10", "d11-13", "d14-14", "gap 15..16", "s20", "d21-21"]


def test_pictures_are_states() -> None:
    both = Merge({EVENT_BOOK: "latest"})
    both.take(A, [snapshot(10), snapshot(12)])
    both.take(B, [snapshot(11), snapshot(12), snapshot(13), snapshot(None)])
    assert both.seen == ["s10", "s12", "s13"]


def test_a_book_without_identifiers_is_taken_from_one_side() -> None:
    both = Merge({EVENT_BOOK: "one_side"})
    both.take(A, [snapshot(None), delta(None, None)])
    both.take(B, [snapshot(None), delta(None, None)])
    both.take(A, [delta(None, None)])
    assert both.seen == ["sNone", "dNone-None", "dNone-None"]
    both.merge.closed(A)
    both.take(B, [delta(None, None), delta(None, None)])
    assert both.seen[3:] == ["gap None..None"], "what they build on was not shown"
    both.take(B, [snapshot(None), delta(None, None)])
    assert both.seen[4:] == ["sNone", "dNone-None"]
    both.merge.closed(B)
    both.merge.opened(("b", 2))
    both.take(("b", 2), [snapshot(None)])
    assert both.seen[6:] == ["gap None..None", "sNone"]


def test_a_book_whose_identifiers_are_missing_is_taken_from_one_side() -> None:
    both = Merge(BOOKS)
    both.take(A, [snapshot(None)])
    both.take(B, [snapshot(None)])
    assert both.seen == ["sNone"]


def test_other_states_without_anything_are_taken_from_one_side_too() -> None:
    both = Merge({EVENT_MARK_PRICE: "one_side"})
    for side in (A, B):
        both.take(side, [MarkPrice("SIM", "X", 0, 1, "1")])
    both.merge.closed(A)
    both.take(B, [MarkPrice("SIM", "X", 0, 1, "1")])
    assert both.seen == ["MarkPrice", "gap None..None", "MarkPrice"]


def as_kept(stream: Stream) -> Stream:
    """What the next engine finds of it in the file of positions."""
    kept = Stream(stream.key, stream.rule, stream.exchange)
    kept.last, kept.exchange_ns, kept.receive_ns = stream.last, stream.exchange_ns, stream.receive_ns
    kept.state = stream.state
    return kept


class BookFeed:
    """What one worker of a book brings: a snapshot, then every update; cut into batches that arrive at any time."""

    def __init__(self, truth: BookTruth, side: tuple[str, int]) -> None:
        self.side = side
        self.ahead: list[Any] = [truth.snapshot()]
        self.flows = False
        """Something of it was taken."""

    def batch(self, size: int) -> list[Any]:
        return self.ahead[:size]


class BookTruth:
    """A book of five levels; update n sets one of them to n. Folds what handlers are shown and compares."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        self.last = 100
        self.levels: dict[int, dict[str, str]] = {100: {}}
        self.merge = StreamMerge({EVENT_BOOK: rule})
        self.feeds: dict[str, BookFeed] = {}
        self.incarnations = {"a": 0, "b": 0}
        self.shown: dict[str, str] | None = None
        self.shown_ids: list[int] = []
        self.kept: Stream | None = None
        """As the file of positions keeps it."""
        self.gaps = 0

    def snapshot(self) -> BookSnapshot[str]:
        bids = list(self.levels[self.last].items())
        return BookSnapshot("SIM", "X", 0, self.last, bids, [], None, str(self.last), None)

    def emit(self, count: int) -> None:
        for _ in range(count):
            before, self.last = self.last, self.last + 1
            level = (str(self.last % 5), str(self.last))
            self.levels[self.last] = {**self.levels[before], level[0]: level[1]}
            first = str(before if self.rule == "chained" else self.last)
            at = self.last * 1000
            event = BookDelta("SIM", "X", at, at, [level], [], first, str(self.last), None)
            for feed in self.feeds.values():
                feed.ahead.append(event)

    def start(self, side: str) -> None:
        if side not in self.feeds:
            self.incarnations[side] += 1
            self.feeds[side] = BookFeed(self, (side, self.incarnations[side]))
            self.merge.opened(self.feeds[side].side)

    def lose(self, side: str, count: int) -> None:
        """The worker misses so many updates: it says so and fetches the book anew."""
        feed = self.feeds.get(side)
        if feed is not None and len(feed.ahead) > count and isinstance(feed.ahead[0], BookDelta):
            first, last = feed.ahead[0], feed.ahead[count]
            gap = Gap("SIM", "X", 0, 1, EVENT_BOOK, first.last_id, last.last_id, 1, 2, "lost by the worker")
            feed.ahead[:] = [gap, self.snapshot()]

    def end(self, side: str) -> None:
        feed = self.feeds.pop(side, None)
        if feed is not None:
            self.merge.closed(feed.side)

    def take(self, side: str, size: int, *, may_wait: bool = True) -> bool:
        feed = self.feeds.get(side)
        if feed is None or not feed.ahead:
            return False
        events = feed.batch(size)
        admission = self.merge.admit(feed.side, events, may_wait=may_wait)
        if admission is None:
            return False
        for stream in self.merge.settle():
            self.keep(stream)
        del feed.ahead[: len(events)]
        flowing = any(other.flows for other in self.feeds.values() if other is not feed)
        feed.flows = True
        for event in admission.events:
            if isinstance(event, BookSnapshot) and may_wait:
                assert self.shown is None or not flowing, "no new snapshot as long as the other goes on"
            self.show(event)
        return True

    def damage(self, side: str) -> None:
        """What this worker brings next is lost on the way, unnoticed by it."""
        feed = self.feeds.get(side)
        if feed is not None:
            del feed.ahead[:2]

    def keep(self, stream: Stream) -> None:
        self.kept = as_kept(stream)

    def engine(self) -> None:
        """The engine is replaced: handlers know nothing, workers go on."""
        self.merge = StreamMerge({EVENT_BOOK: self.rule})
        if self.kept is not None:
            self.merge.restore(self.kept)
        for feed in self.feeds.values():
            self.merge.opened(feed.side)
        for side in self.merge.absent():
            self.merge.closed(side)
        self.shown = None
        self.shown_ids.clear()

    def resync(self, side: str) -> None:
        """The worker shows its book whole once more, in the order of its stream."""
        if side in self.feeds and self.merge.unknown_books():
            self.feeds[side].ahead.append(self.snapshot())

    def show(self, event: Any) -> None:
        if isinstance(event, Gap):
            if not event.filled:
                self.gaps += 1
                self.shown = None
            return
        last = int(event.last_id)
        if isinstance(event, BookSnapshot):
            self.shown = dict(event.bids)
        else:
            assert self.shown is not None, "an update of a book that nobody knows"
            assert not self.shown_ids or last > self.shown_ids[-1], "forward"
            self.shown.update(event.bids)
        assert self.shown == self.levels[last]
        self.shown_ids.append(last)

    def settle(self) -> None:
        """A worker is replaced, and all is brought: then the book is known and up to date."""
        self.end("a")
        self.start("a")
        for _ in range(3):
            for side in ("a", "b"):
                while self.take(side, 3) or self.take(side, 3, may_wait=False):
                    pass
        assert self.shown == self.levels[self.last]


BOOK_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("emit"), st.integers(1, 4)),
        st.tuples(st.just("take"), st.sampled_from("ab"), st.integers(1, 4)),
        st.tuples(st.just("take"), st.sampled_from("ab"), st.integers(1, 4)),
        st.tuples(st.just("start"), st.sampled_from("ab")),
        st.tuples(st.just("end"), st.sampled_from("ab")),
        st.tuples(st.just("lose"), st.sampled_from("ab"), st.integers(1, 3)),
        st.tuples(st.just("damage"), st.sampled_from("ab")),
        st.tuples(st.just("engine")),
        st.tuples(st.just("resync"), st.sampled_from("ab")),
    ),
    max_size=60,
)

ENGINE_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("emit"), st.integers(1, 4)),
        st.tuples(st.just("take"), st.sampled_from("ab"), st.integers(1, 4)),
        st.tuples(st.just("take"), st.sampled_from("ab"), st.integers(1, 4)),
        st.tuples(st.just("engine")),
        st.tuples(st.just("resync"), st.sampled_from("ab")),
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(st.sampled_from(["update_ids", "chained"]), BOOK_STEPS)
def test_a_book_that_is_shown_is_true_whatever_its_workers_suffer(rule: str, steps: list[tuple[Any, ...]]) -> None:
    truth = BookTruth(rule)
    truth.start("a")
    for name, *details in steps:
        getattr(truth, name)(*details)
    truth.settle()


@settings(max_examples=200)
@given(st.sampled_from(["update_ids", "chained"]), st.sampled_from(["a", "ab"]), ENGINE_STEPS)
def test_a_book_is_known_again_after_engines_were_replaced_and_nothing_is_announced(
    rule: str, sides: str, steps: list[tuple[Any, ...]]
) -> None:
    truth = BookTruth(rule)
    for side in sides:
        truth.start(side)
    truth.take("a", 1)
    for name, *details in steps:
        getattr(truth, name)(*details)
    truth.engine()
    truth.resync("a")
    truth.emit(1)
    while sum(truth.take(side, 3) for side in sides):
        pass
    assert truth.shown == truth.levels[truth.last]
    assert truth.gaps == 0
    assert truth.merge.unknown_books() == []
    assert all(not feed.ahead for feed in truth.feeds.values()), "all is taken"


def successor(*streams: Stream, rules: dict[str, Any] = BOOKS, sides: tuple[tuple[str, int], ...] = (A, B)) -> Merge:
    """The merge of the next engine."""
    after = Merge(rules, *sides)
    for stream in streams:
        after.merge.restore(stream)
    return after


def position(*events: Any, rules: dict[str, Any] = BOOKS, sides: tuple[tuple[str, int], ...] = (A, B)) -> Stream:
    """Where a book stands after `events`, brought by each of the sides."""
    before = StreamMerge(rules)
    kept: dict[StreamKey, Stream] = {}
    for side in sides:
        before.opened(side)
    for side in sides:
        assert before.admit(side, list(events), may_wait=True) is not None
        kept.update({stream.key: stream for stream in before.settle()})
    (stream,) = kept.values()
    return as_kept(stream)


def test_a_new_engine_shows_a_book_from_its_first_snapshot_on() -> None:
    after = successor(position(snapshot(10), delta(11, 12)))
    assert after.merge.unknown_books() == ["X"]
    admission = after.take(A, [delta(13, 14)])
    assert admission is not None
    assert admission.deduplicated == 1
    after.take(B, [delta(13, 14), delta(15, 15), delta(16, 16)])
    # older than what the other has brought: what lies between comes of this one
    after.take(A, [snapshot(14)])
    assert after.take(B, [delta(17, 17)]) is None
    after.take(A, [delta(15, 15), delta(16, 16)])
    after.take(B, [delta(17, 17)])
    assert after.seen == ["s14", "d15-15", "d16-16", "d17-17"]
    assert after.merge.unknown_books() == []


def test_a_snapshot_that_has_to_wait_has_not_been_seen() -> None:
    after = successor(position(snapshot(10), delta(11, 12)))
    assert after.take(A, [snapshot(12), delta(15, 15)]) is None
    assert after.merge.unknown_books() == ["X"]
    after.take(B, [delta(13, 14)])
    after.take(A, [snapshot(12), delta(13, 14), delta(15, 15)])
    assert after.seen == ["s12", "d13-14", "d15-15"]


def test_a_worker_that_came_with_the_new_engine_has_missed_something() -> None:
    after = successor(position(snapshot(10), sides=(A,)), sides=(("a", 2),))
    after.merge.closed(A)
    after.take(("a", 2), [snapshot(15), delta(16, 16)])
    assert after.seen == ["gap 11..15", "s15", "d16-16"]


def test_a_lost_book_is_unknown_too() -> None:
    alone = Merge(BOOKS, A)
    alone.take(A, [snapshot(10), delta(13, 13)])
    assert alone.merge.unknown_books() == ["X"]
    after = successor(position(snapshot(10), delta(13, 13), sides=(A,)), sides=(A,))
    after.take(A, [delta(14, 14), snapshot(14), delta(15, 15)])
    assert after.seen == ["s14", "d15-15"]
    assert after.merge.unknown_books() == []


def test_a_new_engine_shows_a_book_without_identifiers_from_its_first_snapshot_on() -> None:
    rules: dict[str, Any] = {EVENT_BOOK: "one_side"}
    after = successor(position(snapshot(None), rules=rules), rules=rules)
    for side in (A, B):
        after.take(side, [delta(None, None)])
    assert after.seen == []
    after.take(B, [snapshot(None), delta(None, None)])
    after.take(A, [delta(None, None), snapshot(None)])
    assert after.seen == ["sNone", "dNone-None"], "from the side that has shown it"
    assert after.merge.unknown_books() == []


def test_pictures_are_never_unknown() -> None:
    rules: dict[str, Any] = {EVENT_BOOK: "latest"}
    after = successor(position(snapshot(10), rules=rules), rules=rules)
    assert after.merge.unknown_books() == []


def test_what_handlers_before_have_had_is_noted_and_their_books_are_unknown() -> None:
    after = successor(position(snapshot(10)))
    admission, kept = after.merge.note(A, [delta(11, 12), snapshot(12), trade(1)])
    assert admission is not None
    assert (admission.applied, admission.deduplicated, kept[0].last) == (2, 1, 12)
    assert after.merge.unknown_books() == ["X"]
    # one that stands in no file of positions
    fresh = Merge(BOOKS)
    fresh.merge.note(A, [snapshot(10)])
    assert fresh.merge.unknown_books() == ["X"]
    fresh.take(A, [delta(11, 11), snapshot(11), delta(12, 12)])
    fresh.merge.note(B, [delta(11, 11)])
    assert fresh.seen == ["s11", "d12-12"]
    assert fresh.merge.unknown_books() == []


def test_a_book_of_another_rule_begins_anew() -> None:
    after = successor(position(snapshot(10)))
    after.merge.follow({EVENT_BOOK: "latest"})
    assert after.merge.unknown_books() == []
    after.take(A, [snapshot(10)])
    assert after.seen == ["s10"]


# ---- beside


@pytest.mark.parametrize(
    ("kind", "rule", "fits"),
    [
        (EVENT_MARKET_TRADE, "sequence", "sequence"),
        (EVENT_BBO, "sequence", "latest"),
        (EVENT_LIQUIDATION, "increasing", "content"),
        (EVENT_MARKET_TRADE, "chained", "content"),
        (EVENT_BOOK, "chained", "chained"),
    ],
)
def test_rules_that_an_event_cannot_follow_are_replaced(kind: str, rule: str, fits: str) -> None:
    assert fitting_rule(kind, rule) == fits


def test_events_without_a_rule_pass() -> None:
    both = Merge({})
    both.take(A, trades(5))
    both.take(B, trades(5))
    assert both.seen == ["5", "5"]


def test_more_streams_than_are_told_apart_pass_and_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.engine.delivery.merge.STREAMS_MAX", 1)
    both = Merge()
    for side in (A, B):
        both.take(side, [trade(5), trade(5, symbol="Y")])
    assert both.seen == ["5", "5", "5"]
    assert both.merge.unmerged_total == 2


def test_positions_of_an_engine_before_are_gone_on_from() -> None:
    before = Merge()
    before.take(A, trades(5, 9), may_wait=False)
    assert before.merge.admit(A, trades(10), may_wait=True) is not None
    kept = before.merge.settle()
    after = Merge()
    (stream,) = kept
    after.merge.restore(stream)
    after.merge.restore(Stream(StreamKey(EVENT_BOOK, "X"), "chained", "SIM"))
    assert after.merge.open_holes() == [FoundHole("X", EVENT_MARKET_TRADE, "6", "8", 5001, 9001)]
    assert after.merge.absent() == []
    after.merge.closed(A)
    assert after.merge.absent() == []
    after.take(B, trades(7, 10, 11))
    assert after.seen == ["7+", "11", "gap 7..7 filled"]


def test_a_stream_of_which_nothing_was_applied_has_no_position_to_keep() -> None:
    merge = StreamMerge(TRADES)
    merge.opened(A)
    kept: list[Stream] = []
    assert merge.admit(A, [trade(5, backfilled=True)], may_wait=True) is not None
    kept.extend(merge.settle())
    assert kept == []
    assert merge.admit(A, trades(6), may_wait=True) is not None
    kept.extend(merge.settle())
    assert [stream.last for stream in kept] == [6]


def test_sides_that_are_gone_since_are_named() -> None:
    merge = StreamMerge(TRADES)
    stream = Stream(StreamKey(EVENT_MARKET_TRADE, "X"), "sequence", "SIM")
    stream.state = StreamState(sides=(A, ("b", 3)))
    merge.opened(A)
    merge.restore(stream)
    assert merge.absent() == [("b", 3)]
    assert merge.closed(("b", 3)) == [stream]
    assert stream.state.sides == (A,)
    assert merge.absent() == []


def test_another_rule_begins_a_stream_anew() -> None:
    both = Merge()
    both.take(A, trades(5))
    both.merge.follow({EVENT_MARKET_TRADE: "increasing"})
    both.take(A, trades(2, 4))
    both.merge.follow({EVENT_MARKET_TRADE: "increasing"})
    both.take(A, trades(2, 6))
    assert both.seen == ["5", "2", "4", "6"]


def test_a_side_that_does_not_wait_can_go_on() -> None:
    assert Merge().merge.can_go_on("a")


def test_a_hole_that_is_decided_again_is_remembered_once() -> None:
    """An engine that died between writing the hole and the position: its successor decides the same again."""
    alone = Merge(None, A)
    alone.take(A, trades(5))
    alone.take(A, trades(9))
    (stream,) = (stream for stream in alone.merge._by_key.values())
    stream.last = 5
    alone.take(A, trades(9))
    assert len(alone.merge.open_holes()) == 1


def test_what_waits_behind_backfilled_events_stands_where_its_own_begin() -> None:
    both = Merge()
    both.take(A, trades(5))
    assert both.take(A, [trade(3, backfilled=True), trade(8)]) is None
    assert both.take(B, trades(9)) is None, "8 may come"
    assert both.take(A, [trade(3, backfilled=True), trade(8)]) is not None, "but nothing before"


def test_a_snapshot_takes_a_book_over() -> None:
    both = Merge({EVENT_BOOK: "one_side"})
    both.take(A, [snapshot(None)])
    both.merge.closed(A)
    both.take(B, [snapshot(None), delta(None, None)])
    assert both.seen == ["sNone", "gap None..None", "sNone", "dNone-None"]


def gap(first: str | None, last: str | None, *, stream: str = EVENT_MARKET_TRADE, filled: bool = False) -> Gap:
    return Gap("SIM", "X", 0, 1, stream, first, last, 1, 2, "told", filled=filled)


def quote(number: int, *, receive_ns: int = 1, ns: int = 0) -> Quote[str]:
    return Quote("SIM", "X", ns, receive_ns, "1", "1", "2", "1", str(number))


QUOTES = st.builds(
    quote,
    st.one_of(st.integers(0, 12), st.sampled_from(["", "x"])),
    receive_ns=st.sampled_from([1, 2, 20 * 10**9]),
    ns=st.sampled_from([0, 0, 0, 10**12, 2 * 10**12]),
)


@given(
    steps=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 2), st.lists(QUOTES, max_size=4)), max_size=12),
)
@settings(deadline=None)
def test_quotes_that_are_told_at_a_glance_are_decided_as_all_others(
    steps: list[tuple[int, int, list[Quote[str]]]],
) -> None:
    quick, slow = Merge({EVENT_BBO: "latest"}), Merge({EVENT_BBO: "latest"})
    for which, incarnation, quotes in steps:
        for each in (quick, slow):
            for stream in each.merge._by_key.values() if each is slow else ():
                stream.quotes = False
            for gone in "ab":
                each.merge.closed((gone, 3 - incarnation))
            each.take(("ab"[which], incarnation), quotes)
    assert quick.seen == slow.seen


def snapshot(number: int | None) -> BookSnapshot[str]:
    return BookSnapshot("SIM", "X", 0, 1, [], [], None, None if number is None else str(number), None)


def delta(first: int | None, last: int | None, *, ns: int = 0, first_known: bool = True) -> BookDelta[str]:
    first_id = str(first) if first is not None and first_known else None
    return BookDelta("SIM", "X", ns, 1, [], [], first_id, None if last is None else str(last), None)
