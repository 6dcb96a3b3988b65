"""Trades with numbers: holes, late events, backfill."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_MARKET_TRADE, Gap
from foxtrot_supervisor.engine.delivery.merge import StreamMerge
from foxtrot_supervisor.engine.delivery.rules.trades import LEAPS_MAX
from foxtrot_supervisor.engine.delivery.streams import Hole, StreamKey
from tests.support.merge_world import TRADES, A, B, Merge, as_kept, gap, trade, trades


def test_a_hole_that_nobody_can_fill_is_announced_exactly() -> None:
    alone = Merge(None, A)
    alone.take(A, trades(5))
    alone.take(A, trades(8, 9))
    assert alone.seen == ["5", "gap 6..7", "8", "9"]
    assert alone.holes == [(StreamKey(EVENT_MARKET_TRADE, "X"), Hole(6, 7, 5001, 8001))]


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
    assert [(hole.first, hole.last) for _, hole in alone.merge.open_holes()] == [
        (21, 29),
        (6, 8),
        (13, 19),
    ]


def test_a_late_batch_that_has_to_wait_is_not_marked_for_ever() -> None:
    both = Merge()
    both.take(A, trades(5))
    both.take(A, trades(9), may_wait=False)
    held = trades(6, 12)
    assert both.take(B, held) is None
    assert not held[0].backfilled
    both.take(B, held, may_wait=False)
    assert both.seen == ["5", "gap 6..8", "9", "6+", "gap 10..11", "12", "gap 6..6 filled"]


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
    assert [(hole.first, hole.last) for _, hole in alone.holes] == [(6, 8)]
    alone.take(("a", 2), [trade(7, backfilled=True), gap("6", "8", filled=True)])
    assert alone.seen[-2:] == ["7+", "gap 6..8 filled"]


def _merged(numbers: list[int], counts: list[int]) -> list[Any]:
    return [msgspec.structs.replace(trade(number), count=count) for number, count in zip(numbers, counts, strict=True)]


def _after_silence(before: tuple[list[int], list[int]], after: tuple[list[int], list[int]]) -> Merge:
    """All of `before`, one trade a batch, then nobody is connected, then `after`."""
    alone = Merge({EVENT_MARKET_TRADE: "increasing"}, A)
    for event in _merged(*before):
        alone.take(A, [event])
    alone.merge.closed(A)
    alone.merge.opened(("a", 2))
    alone.take(("a", 2), _merged(*after))
    return alone


COUNTS = [1, 3, 1, 2, 1, 3, 1, 2, 1]
LASTS = [86, 89, 90, 92, 93, 96, 97, 99, 100]
FIRSTS = [86, 87, 90, 91, 93, 94, 97, 98, 100]


def test_merged_trades_name_their_last_fill_and_the_hole_ends_before_their_first() -> None:
    alone = _after_silence((LASTS, COUNTS), ([110], [3]))
    assert alone.seen[-2:] == ["gap 101..107", "110"]
    assert [(hole.first, hole.last) for _, hole in alone.holes] == [(101, 107)]
    late = [trade(number, backfilled=True) for number in range(99, 112)]
    alone.take(("a", 2), [*late, gap("101", "107", filled=True)])
    assert alone.seen[-8:-1] == [f"{number}+" for number in range(101, 108)], "108 and 109 are part of 110"


def test_if_they_name_their_first_fill_the_hole_is_exact_too() -> None:
    alone = _after_silence(([*FIRSTS, 101], [*COUNTS, 2]), ([110], [3]))
    assert alone.seen[-2:] == ["gap 103..109", "110"]


def test_without_evidence_nothing_is_fetched_twice_and_nothing_lost_unsaid() -> None:
    alone = _after_silence(([100], [2]), ([110], [3]))
    assert alone.seen == ["100", "gap 102..107", "gap 101..101", "gap 108..109", "110"]
    assert [(hole.first, hole.last) for _, hole in alone.holes] == [(102, 107)]


def test_merged_trades_that_leave_no_hole_announce_none() -> None:
    alone = _after_silence((LASTS, COUNTS), ([103], [3]))
    assert alone.seen[-1] == "103"
    assert alone.holes == []


# ---- identifiers that leap, though the exchange is said to count


def test_a_stream_whose_identifiers_leap_is_demoted_once() -> None:
    alone = Merge(None, A)
    for number in range(0, 400, 4):
        alone.take(A, [trade(number), trade(number + 1)])
    assert alone.seen.count("FeedStatus") == 1
    assert sum(shown.startswith("gap") for shown in alone.seen) == LEAPS_MAX
    assert len(alone.holes) == LEAPS_MAX
    assert [stream.key.symbol for stream in alone.merge.demoted] == ["X"]
    assert alone.merge.open_holes() == []
    # it goes on as a stream of growing identifiers: copies are told, and the next engine knows
    alone.merge.opened(B)
    alone.take(B, [trade(396), trade(397)])
    (stream,) = alone.merge._by_key.values()
    after = StreamMerge(TRADES)
    after.restore(as_kept(stream))
    after.opened(A)
    admission = after.admit(A, [trade(397), trade(450), trade(470)], may_wait=True)
    assert admission is not None
    assert (admission.applied, admission.deduplicated, list(admission.holes)) == (2, 1, [])


def test_holes_that_are_filled_do_not_demote() -> None:
    alone = Merge(None, A)
    for number in range(0, 400, 4):
        alone.take(A, [trade(number), trade(number + 1)])
        if number % 40 == 0 and number:
            alone.take(A, [trade(number - 1, backfilled=True)])
    assert "FeedStatus" not in alone.seen


def test_a_batch_that_waits_does_not_demote() -> None:
    both = Merge()
    for number in range(0, 4 * LEAPS_MAX + 4, 4):
        both.take(A, [trade(number)], may_wait=False)
    assert both.take(A, [trade(1000), trade(1004), trade(1008)]) is None
    assert both.merge.demoted == []
    both.take(A, [trade(1000), trade(1004), trade(1008)], may_wait=False)
    assert both.seen.count("FeedStatus") == 1


HUGE = str(1 << 63)


@pytest.mark.parametrize("names", [["x", "y", "z"], ["-1", "-2"], [HUGE, "y"], ["5", "x", HUGE, "6", "z", "-1"]])
@pytest.mark.parametrize("rule", ["sequence", "increasing"])
def test_identifiers_that_are_no_numbers_are_delivered_once_whatever_the_rule(rule: str, names: list[str]) -> None:
    both = Merge({EVENT_MARKET_TRADE: rule})
    for name in names:
        both.take(A, [trade(name, ns=10**9)])
    for name in names:
        both.take(B, [trade(name, ns=10**9)], may_wait=False)
    assert [shown for shown in both.seen if not shown.startswith("gap")] == names


@pytest.mark.parametrize("rule", ["sequence", "increasing"])
def test_a_leap_that_was_received_long_before_the_position_is_outdated(rule: str) -> None:
    alone = Merge({EVENT_MARKET_TRADE: rule}, A)
    alone.take(A, [trade(5, ns=10**12)])
    admission = alone.take(A, [trade(900, ns=10)])
    assert admission is not None
    assert alone.seen == ["5"]
    assert admission.deduplicated == 1


@pytest.mark.parametrize("rule", ["sequence", "increasing"])
def test_a_side_that_lags_behind_a_sequence_reset_brings_copies(rule: str) -> None:
    both = Merge({EVENT_MARKET_TRADE: rule})
    for side in (A, B):
        both.take(side, [trade(500, ns=10**12)])
    both.take(A, [trade(3, ns=2 * 10**12)], may_wait=False)
    assert both.seen[-1] == "3"
    admission = both.take(B, [trade(501, ns=10**12 + 1)])
    assert admission is not None
    assert admission.deduplicated == 1
    assert both.seen[-1] == "3"


def test_trades_of_equal_counts_say_nothing_about_their_identifiers() -> None:
    alone = _after_silence(([100, 103], [3, 3]), ([110], [3]))
    assert alone.seen == ["100", "103", "gap 106..107", "gap 104..105", "gap 108..109", "110"]
