from __future__ import annotations

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_workers.adapter import BookLost, Resubscribe
from tests.workers.exchanges.coinbase.samples import PRODUCT, TIME, TIME_NS, change, connection, start

WIRE = "level2_batch:BTC-USD"
SECOND_NS = 1_000_000_000


def test_a_book_begins_with_its_snapshot() -> None:
    wire = connection("book")
    (snapshot,) = wire.parse(start(), 5)
    levels = [("10101.10", "0.45054140")], [("10102.55", "0.57753524")]
    assert snapshot == BookSnapshot("COINBASE", PRODUCT, 0, 5, *levels, None, None, None)
    (snapshot,) = wire.parse(start(time=TIME), 6)
    assert snapshot.exchange_ns == TIME_NS
    (delta,) = wire.parse(change(["buy", "10101.8", "0.16"], ["sell", "10102.55", "0.00000000"]), 7)
    assert delta == BookDelta(
        "COINBASE", PRODUCT, TIME_NS, 7, [("10101.8", "0.16")], [("10102.55", "0.00000000")], None, None, None
    )
    assert wire.adapter.last_data_ns == {WIRE: 7}


def test_a_change_before_any_snapshot_loses_the_book() -> None:
    wire = connection("book")
    (gap,) = wire.parse(change(), 5)
    assert isinstance(gap, Gap)
    assert wire.take_notices() == [BookLost(WIRE, PRODUCT, gap.cause), Resubscribe(WIRE, gap.cause)]
    assert wire.adapter.held_ns == {WIRE: 5}
    assert wire.parse(change(), 6) == []
    assert len(wire.parse(start(), 7)) == 1


def test_a_book_that_stays_crossed_is_lost() -> None:
    wire = connection("book")
    wire.parse(start(), SECOND_NS)
    crossing = change(["buy", "10103.00", "1"])
    found = [event for step in range(2, 60) for event in wire.parse(crossing, step * SECOND_NS)]
    assert any(isinstance(event, Gap) and "cross" in event.cause for event in found)
    assert Resubscribe(WIRE, next(event.cause for event in found if isinstance(event, Gap))) in wire.take_notices()


def test_one_sided_and_empty_books() -> None:
    wire = connection("book")
    (snapshot,) = wire.parse(start(bids=[]))
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.bids == []
    assert len(wire.parse(start(bids=[], asks=[]))) == 1
    (delta,) = wire.parse({**change(), "changes": []})
    assert isinstance(delta, BookDelta)
