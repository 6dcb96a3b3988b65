"""Two workers of one connection: each event once, in order, holes named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot_protocol.events import EVENT_BAR, EVENT_BBO, EVENT_BOOK, EVENT_MARKET_TRADE, Bar, FeedStatus, Quote
from foxtrot_supervisor.engine.delivery.merge import StreamMerge
from foxtrot_supervisor.engine.delivery.streams import Hole, Stream, StreamKey, StreamState
from tests.support.merge_world import TRADES, A, B, Merge, position, quote, snapshot, successor, trade, trades


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


def test_batches_are_cut_anyhow_and_symbols_are_told_apart() -> None:
    both = Merge()
    both.take(A, [trade(5), trade(90, symbol="Y"), trade(6)])
    both.take(B, [trade(5), trade(6), trade(90, symbol="Y"), trade(7), trade(91, symbol="Y")])
    assert both.seen == ["5", "90", "6", "7", "91"]


def test_feed_states_of_both_workers_are_shown() -> None:
    both = Merge()
    for side in (A, B):
        both.take(side, [FeedStatus("SIM", "X", 0, 1, "x@trade", "flowing", 0.0)])
    assert both.seen == ["FeedStatus", "FeedStatus"]


def ended(state: str = "unsubscribed", symbol: str = "X") -> Any:
    return FeedStatus("SIM", symbol, 0, 1, "x@trade", state, 0.0)  # type: ignore[arg-type]


def test_the_end_of_a_topic_is_shown_by_the_last_side_that_had_it() -> None:
    both = Merge({EVENT_MARKET_TRADE: "increasing"})
    for side in (A, B):
        both.take(side, [trade(5), trade(90, symbol="Y")])
    shown = both.take(A, [ended()])
    assert shown is not None
    assert (shown.applied, shown.deduplicated) == (0, 1)
    both.take(B, trades(6, 7))
    both.take(B, [ended("delisted")])
    both.take(A, [ended(symbol="Z")])
    assert both.seen == ["5", "90", "6", "7", "FeedStatus", "FeedStatus"]


@pytest.mark.parametrize("rule", ["increasing", "sequence"])
def test_who_has_let_go_of_a_topic_is_no_longer_waited_for_and_proves_nothing(rule: str) -> None:
    """Side A of a split keeps Y and lets go of X, which B carries alone from then on."""
    both = Merge({EVENT_MARKET_TRADE: rule})
    for side in (A, B):
        both.take(side, [trade(5), trade(900, symbol="Y")])
    both.take(A, [ended()])
    both.take(A, [trade(901, symbol="Y")])
    if rule == "sequence":
        both.take(A, [trade(20_000_000, symbol="Y", ns=20_000_000_000)], may_wait=False)
        assert both.take(B, trades(8)) is not None
        assert "gap 6..7" in both.seen
        return
    both.merge.closed(B)
    again = ("b", 2)
    both.merge.opened(again)
    both.take(again, trades(8), may_wait=False)
    assert both.seen == ["5", "900", "901", "gap 6..7", "8"], "nobody was connected to X"


def test_a_side_that_has_a_topic_again_brings_it_like_a_new_one() -> None:
    both = Merge()
    both.take(A, [*trades(5, 6), ended(), *trades(7)])
    both.take(B, trades(6, 7, 8))
    both.take(A, trades(8, 9))
    assert both.seen == ["5", "6", "FeedStatus", "7", "8", "9"]


def test_the_end_of_a_topic_is_undone_with_its_batch() -> None:
    both = Merge()
    both.take(A, trades(5))
    both.take(B, trades(5))
    assert both.take(A, [ended(), *trades(9)]) is None
    both.take(B, trades(6, 7, 8))
    both.take(A, [ended(), *trades(9)])
    assert both.seen == ["5", "6", "7", "8", "9"]


def test_bars_and_books_of_a_symbol_end_with_it() -> None:
    bars = Merge({EVENT_BAR: "latest", EVENT_BOOK: "one_side"})
    bar = Bar("SIM", "X", 1, 1, "1m", 1, 2, "1", "1", "1", "1", "1", False)
    for side in (A, B):
        bars.take(side, [bar, snapshot(None)])
    bars.take(A, [ended()])
    bars.take(B, [snapshot(None)])
    assert bars.seen == ["Bar", "sNone", "gap None..None", "sNone"], "another worker's copies cannot be recognized"


def test_a_book_of_another_rule_starts_again() -> None:
    after = successor(position(snapshot(10)))
    after.merge.follow({EVENT_BOOK: "latest"})
    assert after.merge.unknown_books() == []
    after.take(A, [snapshot(10)])
    assert after.seen == ["s10"]


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
    assert after.merge.open_holes() == [(StreamKey(EVENT_MARKET_TRADE, "X"), Hole(6, 8, 5001, 9001))]
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


def test_a_stream_with_another_rule_starts_again() -> None:
    both = Merge()
    both.take(A, trades(5))
    both.merge.follow({EVENT_MARKET_TRADE: "increasing"})
    both.take(A, trades(2, 4))
    both.merge.follow({EVENT_MARKET_TRADE: "increasing"})
    both.take(A, trades(2, 6))
    assert both.seen == ["5", "2", "4", "6"]


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
                stream.rising = stream.quick = False
            for gone in "ab":
                each.merge.closed((gone, 3 - incarnation))
            each.take(("ab"[which], incarnation), quotes)
    assert quick.seen == slow.seen


def test_following_other_rules_looks_at_each_stream_once() -> None:
    """4,000 streams took 2.2 s, for all were looked through for each: now no look-up table is gone through at all."""

    class Counted(dict[Any, Any]):
        looks = 0

        def items(self) -> Any:
            Counted.looks += 1
            return super().items()

    one = Merge(None, A)
    for number in range(500):
        one.take(A, [trade(1, symbol=f"S{number}")])
    one.merge._streams = Counted(one.merge._streams)
    one.merge.follow({EVENT_MARKET_TRADE: "increasing"})
    assert Counted.looks == 0
    assert len(one.merge._streams) == 0
    one.take(A, [trade(1, symbol="S1")])
    assert one.seen[-1] == "1"
