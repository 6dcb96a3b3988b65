from __future__ import annotations

import zlib

import pytest

from foxtrot_protocol.events import (
    BookDelta,
    BookSnapshot,
    Gap,
)
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter import (
    BookLost,
    Resubscribe,
)
from foxtrot_workers.exchanges.okx.adapter import Okx
from foxtrot_workers.exchanges.okx.books import book_checksum
from tests.workers.exchanges.okx.subscribed import BOOK_NS, INSTRUMENT, Subscribed
from tests.workers.exchanges.samples import (
    okx_book,
    okx_frame,
)


def test_a_book_follows_its_chain() -> None:
    wire = Subscribed("book")
    assert wire.book("snapshot", seqId=10) == [
        BookSnapshot(
            *("OKX", INSTRUMENT, BOOK_NS, 7),
            [("8476.97", "256")],
            [("8476.98", "415"), ("8477", "7")],
            None,
            "10",
            None,
        )
    ]
    assert wire.book("update", asks=[["8477", "0", "0", "0"]], bids=[], prevSeqId=10, seqId=15) == [
        BookDelta("OKX", INSTRUMENT, BOOK_NS, 7, [], [("8477", "0")], "10", "15", None)
    ]
    assert wire.take_notices() == []


def test_resync_subscribes_again_the_books_whose_snapshot_comes_on_the_stream() -> None:
    wire = Subscribed("book", "trade")
    assert [topic.channel for topic in wire.adapter.resync(wire.topics)] == ["book"]
    assert Okx().resync(Okx().topics(["book5"], ["BTC-USDT"])) == [], "each picture stands for itself"


def test_a_book_heartbeat_counts_as_data_and_is_not_published() -> None:
    wire = Subscribed("book")
    wire.book("snapshot", 1, seqId=10)
    assert wire.book("update", 2, asks=[], bids=[], prevSeqId=10, seqId=10) == []
    assert wire.adapter.last_data_ns == {"books:BTC-USDT": 2}
    assert wire.take_notices() == []


def test_an_update_without_levels_is_published_if_the_id_changes() -> None:
    wire = Subscribed("book")
    wire.book("snapshot", seqId=10)
    assert len(wire.book("update", asks=[], bids=[], prevSeqId=10, seqId=12)) == 1
    assert len(wire.book("update", prevSeqId=12, seqId=3)) == 1  # a sequence reset after maintenance
    assert len(wire.book("update", prevSeqId=3, seqId=4)) == 1
    assert wire.take_notices() == []


def test_a_broken_chain_resubscribes_and_nothing_is_published_until_the_snapshot() -> None:
    wire = Subscribed("book")
    wire.book("snapshot", 1, seqId=10)
    (gap,) = wire.book("update", 2, prevSeqId=11, seqId=12)
    assert isinstance(gap, Gap)
    wire_name = "books:BTC-USDT"
    assert wire.take_notices() == [BookLost(wire_name, INSTRUMENT, gap.cause), Resubscribe(wire_name, gap.cause)]
    assert wire.book("update", 3, prevSeqId=12, seqId=13) == []
    assert wire.adapter.last_data_ns == {wire_name: 1}
    assert len(wire.book("snapshot", 4, seqId=20)) == 1
    assert wire.adapter.last_data_ns == {wire_name: 4}


def test_the_documented_checksum() -> None:
    book: OrderBook[str] = OrderBook()
    book.snapshot([("3366.1", "7"), ("3366", "6")], [("3366.8", "9"), ("3368", "8")])
    assert book_checksum(book) == 2413953002
    assert book_checksum(book) - 2**32 == -1881014294


def test_a_checksum_of_sides_of_unequal_length() -> None:
    book: OrderBook[str] = OrderBook()
    book.snapshot([("3", "1"), ("2", "1")], [("4", "1")])
    assert book_checksum(book) == zlib.crc32(b"3:1:4:1:2:1")


def test_a_checksum_of_old_recordings_is_compared_unsigned() -> None:
    wire = Subscribed("book")
    levels = {"bids": [["3366.1", "7", "0", "3"], ["3366", "6", "3", "4"]], "asks": [["3366.8", "9", "10", "3"]]}
    more = {"asks": [["3368", "8", "3", "4"]], "bids": []}
    old = [okx_book(**levels, checksum=_crc("3366.1:7:3366.8:9:3366:6"))]
    for row in old:
        del row["seqId"], row["prevSeqId"]
    (snapshot,) = wire.parse(okx_frame("books", INSTRUMENT, old, action="snapshot"))
    assert isinstance(snapshot, BookSnapshot)
    update = okx_book(**more, checksum=-1881014294)
    del update["seqId"], update["prevSeqId"]
    (delta,) = wire.parse(okx_frame("books", INSTRUMENT, [update], action="update"))
    assert isinstance(delta, BookDelta)
    assert (delta.checksum, delta.first_id, delta.last_id) == (2413953002, None, None)
    (gap,) = wire.parse(okx_frame("books", INSTRUMENT, [{**update, "checksum": 5}], action="update"))
    assert isinstance(gap, Gap)
    assert "checksum 5 was sent" in gap.cause


def _crc(text: str) -> int:
    unsigned = zlib.crc32(text.encode())
    return unsigned - 2**32 if unsigned >= 2**31 else unsigned


@pytest.mark.parametrize("checksum", [0, None])
def test_no_checksum_is_never_a_mismatch(checksum: int | None) -> None:
    wire = Subscribed("book")
    wire.book("snapshot", seqId=1, checksum=checksum)
    (delta,) = wire.book("update", prevSeqId=1, seqId=2, checksum=checksum)
    assert isinstance(delta, BookDelta)
    assert delta.checksum is None
