"""Which sides a batch waits for, and for how long."""

from __future__ import annotations

from foxtrot_protocol.events import EVENT_MARKET_TRADE
from foxtrot_supervisor.engine.delivery.streams import Stream, StreamKey
from foxtrot_supervisor.engine.delivery.waiting import CARRY_NS, OpenSides, Wait
from tests.support.merge_world import A, B, Merge, trade, trades


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


def test_a_side_that_does_not_wait_can_go_on() -> None:
    assert Merge().merge.can_go_on("a")


def test_what_waits_behind_backfilled_events_stands_where_its_own_begin() -> None:
    both = Merge()
    both.take(A, trades(5))
    assert both.take(A, [trade(3, backfilled=True), trade(8)]) is None
    assert both.take(B, trades(9)) is None, "8 may come"
    assert both.take(A, [trade(3, backfilled=True), trade(8)]) is not None, "but nothing before"


def test_a_side_that_has_long_brought_only_other_streams_is_not_waited_for() -> None:
    sides = OpenSides()
    for side in (A, B):
        sides.opened(side)
    stream = Stream(StreamKey(EVENT_MARKET_TRADE, "X"), "sequence", "SIM")
    began_ns = 10**12
    wait = Wait(stream, 9, began_ns + 2 * CARRY_NS)
    sides.reached_ns["b"] = began_ns
    sides.progressed("b")
    assert sides.may_bring("a", wait)
    sides.reached_ns["b"] = began_ns + CARRY_NS
    assert not sides.may_bring("a", wait)
