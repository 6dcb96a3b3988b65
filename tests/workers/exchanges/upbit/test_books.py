from __future__ import annotations

from foxtrot_protocol.events import BookSnapshot
from foxtrot_workers.exchanges.upbit.adapter import Upbit
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.upbit.samples import ORDERBOOK, SHORT_ORDERBOOK

UNIT = b'"orderbook_units":[{"ask_price":41000.0,"bid_price":40990.0,"ask_size":1.5,"bid_size":2.5}'
EMPTY_BID = b'{"ask_price":1E-8,"bid_price":0,"ask_size":2,"bid_size":0}'
EMPTY = b'{"ask_price":0.0,"bid_price":0.0,"ask_size":0,"bid_size":0}'


def test_every_message_is_a_full_picture() -> None:
    book = BookSnapshot(
        "UPBIT",
        "KRW-DOT",
        1614729599677_000_000,
        RECEIVE_NS,
        [("40990.0", "2.5")],
        [("41000.0", "1.5")],
        None,
        None,
        None,
    )
    for channel in ("book", "book15", "book5"):
        assert Driven(Upbit, [channel], ["KRW-DOT"]).parse(ORDERBOOK) == [book]
    [short] = Driven(Upbit, adopt=True).parse(SHORT_ORDERBOOK)
    assert isinstance(short, BookSnapshot)
    assert short.asks == [("127.0", "280460.37885666")]


def test_empty_rows_are_left_out() -> None:
    assert UNIT in ORDERBOOK
    [book] = Driven(Upbit, ["book"], ["KRW-DOT"]).parse(ORDERBOOK.replace(UNIT, b",".join((UNIT, EMPTY_BID, EMPTY))))
    assert isinstance(book, BookSnapshot)
    assert book.bids == [("40990.0", "2.5")]
    assert book.asks == [("41000.0", "1.5"), ("1E-8", "2")]
    wire = Driven(Upbit, ["book"], ["KRW-DOT"])
    [empty] = wire.parse(ORDERBOOK[: ORDERBOOK.index(b"[")] + b"[]}")
    assert isinstance(empty, BookSnapshot)
    assert (empty.bids, empty.asks) == ([], [])


def test_no_book_needs_a_fresh_snapshot() -> None:
    wire = Driven(Upbit, ["book"], ["KRW-DOT"])
    assert wire.adapter.resync(wire.topics) == []
