from __future__ import annotations

import zlib

import msgspec
import pytest

from foxtrot_protocol.events import (
    BookDelta,
    BookSnapshot,
    Gap,
)
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter import (
    BookLost,
    RestRequest,
    Resubscribe,
    SnapshotRejected,
)
from foxtrot_workers.exchanges.okx.adapter import Okx
from foxtrot_workers.exchanges.okx.books import book_checksum, symbol_of_rest_book
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.okx.subscribed import BOOK_NS, INSTRUMENT, Subscribed
from tests.workers.exchanges.samples import (
    okx_answer,
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


class TestWithoutASnapshotOnTheStream:
    """OKX has announced the end of snapshots on the stream: one is then fetched by REST."""

    PATH = "/api/v5/market/books?instId=BTC-USDT&sz=400"

    def wire(self) -> Driven[Okx]:
        return Driven(Okx, ["book"], [INSTRUMENT])

    def update(self, previous: int, last: int) -> bytes:
        bids = [["8470", str(last), "0", "1"]]
        row = okx_book(prevSeqId=previous, seqId=last, asks=[], bids=bids)
        return okx_frame("books", INSTRUMENT, [row], action="update")

    def test_an_update_without_identifiers_is_refused_while_the_snapshot_is_fetched(self) -> None:
        wire = self.wire()
        wire.parse(self.update(10, 15))
        row = okx_book(asks=[], bids=[["8470", "1", "0", "1"]])
        del row["seqId"], row["prevSeqId"]
        with pytest.raises(msgspec.ValidationError, match="without identifiers"):
            wire.parse(okx_frame("books", INSTRUMENT, [row], action="update"))
        events = wire.answer(self.PATH, okx_answer([okx_book(seqId=10)]))
        assert [type(event) for event in events] == [BookSnapshot, BookDelta], "what was held is not lost"

    def test_updates_wait_for_it_and_continue_it(self) -> None:
        wire = self.wire()
        assert wire.parse(self.update(10, 15)) == []
        assert wire.take_notices() == [RestRequest("books BTC-USDT", self.PATH)]
        assert wire.adapter.held_ns == {"books:BTC-USDT": RECEIVE_NS}
        assert wire.parse(self.update(15, 22)) == []
        snapshot, delta = wire.answer(self.PATH, okx_answer([okx_book(seqId=17)]))
        assert isinstance(snapshot, BookSnapshot)
        assert snapshot.last_id == "17"
        assert isinstance(delta, BookDelta)
        assert (delta.first_id, delta.last_id) == ("15", "22")
        assert len(wire.parse(self.update(22, 3))) == 1, "the sequence is reset after maintenance, the chain holds"
        quiet = okx_frame("books", INSTRUMENT, [okx_book(prevSeqId=3, seqId=3, asks=[], bids=[])], action="update")
        assert wire.parse(quiet) == []
        assert wire.adapter.last_data_ns == {"books:BTC-USDT": RECEIVE_NS}
        assert len(wire.parse(self.update(3, 4))) == 1
        (gap,) = wire.parse(self.update(5, 9))
        assert isinstance(gap, Gap)
        assert [type(notice) for notice in wire.take_notices()] == [BookLost, RestRequest]

    def test_it_is_fetched_again_on_demand(self) -> None:
        wire = self.wire()
        wire.parse(self.update(10, 15))
        wire.answer(self.PATH, okx_answer([okx_book(seqId=15)]))
        wire.take_notices()
        assert wire.adapter.resync(wire.topics) == []
        assert wire.take_notices() == [RestRequest("books BTC-USDT", self.PATH)]

    def test_a_snapshot_on_the_stream_is_better(self) -> None:
        wire = self.wire()
        wire.parse(self.update(10, 15))
        frame = okx_frame("books", INSTRUMENT, [okx_book(seqId=20)], action="snapshot")
        assert [type(event) for event in wire.parse(frame)] == [BookSnapshot]
        assert wire.answer(self.PATH, okx_answer([okx_book(seqId=17)])) == []
        assert len(wire.parse(self.update(20, 25))) == 1
        assert wire.adapter.resync(wire.topics) == wire.topics

    def test_a_lost_book_waits_for_the_stream_first(self) -> None:
        wire = self.wire()
        wire.parse(okx_frame("books", INSTRUMENT, [okx_book(seqId=20)], action="snapshot"))
        wire.parse(self.update(30, 31))
        assert [type(notice) for notice in wire.take_notices()] == [BookLost, Resubscribe]
        for after_s in (1, 10, 11):
            assert wire.parse(self.update(31, 32), RECEIVE_NS + after_s * 1_000_000_000) == []
            assert wire.take_notices() == []
        wire.parse(self.update(32, 33), RECEIVE_NS + 12_000_000_000)
        assert wire.take_notices() == [RestRequest("books BTC-USDT", self.PATH)]

    @pytest.mark.parametrize("body", [b"{}", okx_answer([]), okx_answer([okx_book()], code="50011"), b"["])
    def test_an_unusable_answer_is_requested_again(self, body: bytes) -> None:
        wire = self.wire()
        wire.parse(self.update(10, 15))
        wire.take_notices()
        assert wire.answer(self.PATH, body) == []
        assert [type(notice) for notice in wire.take_notices()] == [SnapshotRejected, RestRequest]

    def test_other_answers_are_not_snapshots(self) -> None:
        assert symbol_of_rest_book(self.PATH) == "BTC-USDT"
        assert symbol_of_rest_book("/api/v5/market/books?sz=5&instId=BTC-USDT") is None
        assert symbol_of_rest_book("/api/v5/market/trades?instId=BTC-USDT&sz=400") is None
        assert self.wire().answer(self.PATH, okx_answer([okx_book()])) == []

    def test_the_end_of_a_subscription_ends_it(self) -> None:
        wire = self.wire()
        wire.parse(self.update(10, 15))
        wire.adapter.unsubscribe(wire.topics)
        wire.parse({"event": "unsubscribe", "arg": {"channel": "books", "instId": INSTRUMENT}})
        assert wire.answer(self.PATH, okx_answer([okx_book(seqId=17)])) == []
