from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_workers.adapter import BookLost, Resubscribe
from tests.workers.exchanges.kraken_futures.samples import NS, PRODUCT, change, connection, snapshot

WIRE = "book:PI_XBTUSD"


def test_each_change_continues_the_sequence() -> None:
    wire = connection("book")
    (whole,) = wire.parse(snapshot(10), 5)
    levels = [("34892.5", "6385.0")], [("34911.5", "20598")]
    assert whole == BookSnapshot("KRAKEN_FUTURES", PRODUCT, NS, 5, *levels, None, "10", None)
    (delta,) = wire.parse(change(11), 6)
    assert delta == BookDelta("KRAKEN_FUTURES", PRODUCT, NS, 6, [], [("34981.0", "0.0")], "11", "11", None)
    (delta,) = wire.parse(change(12, side="buy", size="7"), 7)
    assert isinstance(delta, BookDelta)
    assert (delta.bids, delta.asks) == ([("34981.0", "7")], [])
    assert wire.adapter.last_data_ns == {WIRE: 7}


def test_a_gap_loses_the_book_until_its_next_snapshot() -> None:
    wire = connection("book")
    wire.parse(snapshot(10), 1)
    (gap,) = wire.parse(change(12), 2)
    assert isinstance(gap, Gap)
    assert wire.take_notices() == [BookLost(WIRE, PRODUCT, gap.cause), Resubscribe(WIRE, gap.cause)]
    assert wire.parse(change(13), 3) == []
    assert wire.adapter.held_ns == {WIRE: 3}
    assert len(wire.parse(snapshot(20), 4)) == 1
    assert len(wire.parse(change(21), 5)) == 1


def test_levels_without_size_are_no_levels() -> None:
    (whole,) = connection("book").parse(snapshot(10, bids=[("1", "0"), ("2", "-5.0"), ("3", "1")], asks=[("4", "0.0")]))
    assert isinstance(whole, BookSnapshot)
    assert (whole.bids, whole.asks) == ([("3", "1")], [])


def test_a_size_below_zero_removes_the_level() -> None:
    wire = connection("book")
    wire.parse(snapshot(10))
    (delta,) = wire.parse(change(11, size="-3.0"))
    assert isinstance(delta, BookDelta)
    assert delta.asks == [("34981.0", "0")]


@pytest.mark.parametrize("missing", [b'"side":"sell",', b'"price":34981.0,', b'"qty":0.0,'])
def test_a_change_without_a_part_is_refused(missing: bytes) -> None:
    wire = connection("book")
    wire.parse(snapshot(10))
    with pytest.raises(msgspec.ValidationError):
        wire.parse(change(11).replace(missing, b""))
    assert len(wire.parse(change(11))) == 1, "the refused one has changed nothing"
