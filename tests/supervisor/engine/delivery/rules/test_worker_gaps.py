"""What a worker announces as dropped."""

from __future__ import annotations

from typing import Any

from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_MARKET_TRADE
from tests.support.merge_world import BOOKS, A, B, Merge, delta, gap, quote, snapshot, trade, trades


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
    assert both.take(B, [quote(6), gap("6", "6", stream=EVENT_BBO)]) is None
    both.take(B, [quote(6), gap("6", "6", stream=EVENT_BBO)], may_wait=False)
    assert both.seen == ["gap None..None", "gap 1..2", "quote 5", "gap 6..6", "quote 6"]
    both.merge.closed(A)
    both.take(B, [gap("7", "7", stream=EVENT_BBO), gap("7", "7", stream=EVENT_BBO, filled=True)])
    assert both.seen[-2:] == ["gap 7..7", "gap 7..7 filled"]


def test_a_workers_own_word_that_its_book_is_lost() -> None:
    both = Merge(BOOKS)
    both.take(A, [snapshot(10)])
    both.take(B, [snapshot(10), gap("11", "12", stream=EVENT_BOOK)])
    both.take(A, [delta(11, 13)])
    both.take(B, [snapshot(13), delta(14, 14)])
    both.merge.closed(A)
    both.take(B, [gap("15", "16", stream=EVENT_BOOK), snapshot(20), delta(21, 21)])
    assert both.seen == ["s10", "d11-13", "d14-14", "gap 15..16", "s20", "d21-21"]


def test_a_workers_gap_leaves_a_book_that_hands_over_every_update_behind_it() -> None:
    alone = Merge(BOOKS, A, deliver_updates=True)
    alone.take(A, [snapshot(10), gap("11", "12", stream=EVENT_BOOK), delta(13, 13)])
    assert alone.seen == ["s10", "gap 11..12", "d13-13"], "13 follows what is announced already"


def test_what_a_worker_dropped_of_growing_identifiers_is_a_hole() -> None:
    alone = Merge({EVENT_MARKET_TRADE: "increasing"}, A)
    alone.take(A, [trade(5), gap("6", "9"), trade(10)])
    assert alone.seen == ["5", "gap 6..9", "10"]
    assert [(hole.first, hole.last) for _, hole in alone.holes] == [(6, 9)]
