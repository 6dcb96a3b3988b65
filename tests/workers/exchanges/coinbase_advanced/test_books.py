from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_workers.adapter import BookLost, Resubscribe, UnrecognizedFrame
from tests.workers.exchanges.coinbase_advanced.samples import (
    NS,
    PRODUCT,
    book,
    connection,
    frame,
    snapshot,
    subscriptions,
    ticker,
    trade,
    trades,
)

EXCHANGE = "COINBASE_ADVANCED"
BOTH = (PRODUCT, "ETH-USD")


def test_a_book_begins_with_its_snapshot() -> None:
    wire = connection("book")
    (whole,) = wire.parse(snapshot(3), 5)
    levels = [("68900.00", "1.50000000")], [("68901.00", "0.50000000")]
    assert whole == BookSnapshot(EXCHANGE, PRODUCT, NS, 5, *levels, None, None, None)
    (delta,) = wire.parse(book(4, ["offer", "68901.00", "0.00000000"], ["bid", "68900.5", "1"]), 6)
    assert delta == BookDelta(
        EXCHANGE, PRODUCT, NS, 6, [("68900.5", "1")], [("68901.00", "0.00000000")], None, None, None
    )
    assert wire.adapter.last_data_ns == {"level2:BTC-USD": 6}


@pytest.mark.parametrize(
    "after", [book(9, ["bid", "1", "2"]), trades(9), ticker(9), frame("heartbeats", 9, {}), subscriptions(9)]
)
def test_a_missing_message_loses_all_books_of_the_connection(after: dict[str, object]) -> None:
    wire = connection("book", "trade", "ticker", products=BOTH)
    for sequence, product in enumerate(BOTH):
        wire.parse(snapshot(sequence, product), 1)
    gaps = [event for event in wire.parse(msgspec.json.encode(after), 2) if isinstance(event, Gap)]
    assert [gap.symbol for gap in gaps] == list(BOTH)
    assert [type(notice) for notice in wire.take_notices()] == [BookLost, Resubscribe, BookLost, Resubscribe]
    assert wire.parse(book(10, ["bid", "1", "2"]), 3) == []
    assert len(wire.parse(snapshot(11), 4)) == 1, "each book has its own snapshot"
    assert len(wire.parse(book(12, ["bid", "1", "2"]), 5)) == 1


def test_a_message_that_is_not_for_us_is_not_missing() -> None:
    wire = connection("book")
    wire.parse(snapshot(0))
    for message in (frame("status", 1), trades(2, trade(product_id="X-Y"))):
        with pytest.raises(UnrecognizedFrame):
            wire.parse(message)
    assert [type(event) for event in wire.parse(book(3, ["bid", "1", "2"]))] == [BookDelta]


def test_a_message_that_cannot_be_read_is_missing() -> None:
    wire = connection("book")
    wire.parse(snapshot(0))
    with pytest.raises(msgspec.ValidationError):
        wire.parse(book(1, ["up", "1", "2"]))
    assert [type(event) for event in wire.parse(book(2, ["bid", "1", "2"]))] == [Gap]
