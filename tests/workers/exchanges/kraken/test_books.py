from __future__ import annotations

import random

import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter import BookLost, Resubscribe
from foxtrot_workers.exchanges.kraken.adapter import Kraken
from foxtrot_workers.exchanges.kraken.books import book_checksum
from tests.workers.exchanges.connection import replaying
from tests.workers.exchanges.kraken.samples import (
    ASKS,
    BIDS,
    PAIR,
    TIME_NS,
    KrakenBook,
    answer,
    book_row,
    connection,
    frame,
)

DOCUMENTED_ASKS = [f"0.05{tail:03}" for tail in range(5, 55, 5)]
DOCUMENTED_BIDS = ["0.05000"] + [f"0.0{4995 - step}" for step in (0, 5, 15, 20, 25, 30, 35, 40, 45)]


def test_the_documented_checksum() -> None:
    book: OrderBook[str] = OrderBook()
    book.snapshot(
        [(price, "0.00000500") for price in DOCUMENTED_BIDS], [(price, "0.00000500") for price in DOCUMENTED_ASKS]
    )
    assert book_checksum(book) == 974947235


def test_numbers_with_an_exponent_count_as_their_digits() -> None:
    plain: OrderBook[str] = OrderBook()
    plain.snapshot([("0.05", "0.00000050")], [])
    written: OrderBook[str] = OrderBook()
    written.snapshot([("5e-2", "0.00000050")], [])
    assert book_checksum(written) == book_checksum(plain)


def test_an_empty_book_has_a_checksum() -> None:
    assert book_checksum(OrderBook()) == 0


def test_snapshot_and_updates_are_published_in_the_digits_of_the_exchange() -> None:
    wire, book = connection("book10"), KrakenBook(10, BIDS, ASKS)
    (snapshot,) = wire.parse(book.snapshot(), 5)
    assert snapshot == BookSnapshot("KRAKEN", PAIR, TIME_NS, 5, BIDS, ASKS, None, None, book.checksum())
    (delta,) = wire.parse(book.update(asks=[("101.50", "0.00000000")], bids=[("100.50", "7.00000000")]), 6)
    assert delta == BookDelta(
        "KRAKEN", PAIR, TIME_NS, 6, [("100.50", "7.00000000")], [("101.50", "0.00000000")], None, None, book.checksum()
    )
    assert wire.adapter.last_data_ns == {"book-10:BTC/USD": 6}
    assert wire.take_notices() == []


def test_a_wrong_checksum_loses_this_book_only_until_its_next_snapshot() -> None:
    wire = connection("book10", pairs=[PAIR, "ETH/USD"])
    book = KrakenBook(10, BIDS, ASKS)
    other = book.snapshot().replace(b"BTC", b"ETH")
    wire.parse(book.snapshot(), 1)
    wire.parse(other, 1)
    (gap,) = wire.parse(book.update(bids=[("100.50", "7.00000000")]).replace(b"7.0", b"8.0"), 2)
    assert isinstance(gap, Gap)
    assert "checksum" in gap.cause
    assert wire.take_notices() == [
        BookLost("book-10:BTC/USD", PAIR, gap.cause),
        Resubscribe("book-10:BTC/USD", gap.cause),
    ]
    assert wire.parse(book.update(bids=[("100.50", "6.00000000")]), 3) == []
    assert wire.adapter.held_ns == {"book-10:BTC/USD": 3}
    assert len(wire.parse(other, 4)) == 1
    assert [type(event) for event in wire.parse(book.snapshot(), 5)] == [BookSnapshot]
    assert [type(event) for event in wire.parse(book.update(bids=[("100.50", "5.0")]), 6)] == [BookDelta]


@pytest.mark.parametrize("channel", ["book10", "book25", "book"])
def test_books_follow_the_exchange_through_many_updates(channel: str) -> None:
    rng = random.Random(channel)
    depth = {"book10": 10, "book25": 25, "book": 1000}[channel]
    wire, consumer, book = connection(channel), OrderBook[str](PAIR), KrakenBook(depth, BIDS, ASKS)
    wire.parse(book.snapshot())
    consumer.snapshot(BIDS, ASKS)
    for _ in range(2_000):
        cents = rng.randrange(8_000, 10_100)
        size = "0.00000000" if rng.random() < 0.45 else f"{rng.random():.8f}"
        bids = [(f"{cents / 100:.2f}", size)]
        asks = [(f"{(20_200 - cents) / 100:.2f}", size)] if rng.random() < 0.5 else []
        (delta,) = wire.parse(book.update(bids, asks))
        assert isinstance(delta, BookDelta)
        consumer.apply(delta.bids, delta.asks)
        assert consumer.best_bids(2000) == book.book.best_bids(2000)
        assert consumer.best_asks(2000) == book.book.best_asks(2000)


def test_a_frame_with_several_books_changes_all_or_none() -> None:
    wire = connection("book10", pairs=[PAIR, "ETH/USD"])
    book = KrakenBook(10, BIDS, ASKS)
    rows = [book_row(BIDS, ASKS, book.checksum()), book_row(BIDS, ASKS, book.checksum(), pair="ETH/USD")]
    assert len(wire.parse(frame("book", "snapshot", *rows))) == 2
    assert (
        len(connection("book10").parse(frame("book", "snapshot", book_row(BIDS, ASKS, book.checksum(), time=None))))
        == 1
    )


def test_one_sided_books() -> None:
    wire, book = connection("book10"), KrakenBook(10, BIDS[:1], [])
    assert len(wire.parse(book.snapshot())) == 1
    (delta,) = wire.parse(book.update(bids=[("100.50", "0.0")]))
    assert isinstance(delta, BookDelta)
    assert delta.checksum == 0


class TestReplay:
    """Recordings do not say in each frame which depth was subscribed."""

    def test_the_depth_is_that_of_the_recorded_subscription(self) -> None:
        wire, book = replaying(Kraken), KrakenBook(25, BIDS, ASKS)
        wire.parse(answer(result={"channel": "book", "depth": 25, "snapshot": True, "symbol": PAIR}))
        wire.parse(book.snapshot())
        (delta,) = wire.parse(book.update(bids=[("80", "1")]))
        assert isinstance(delta, BookDelta)
        assert delta.bids == [("80", "1")]

    def test_else_it_is_seen_in_the_snapshot(self) -> None:
        wire, book = replaying(Kraken), KrakenBook(10, BIDS, ASKS)
        wire.parse(book.snapshot())
        (delta,) = wire.parse(book.update(bids=[("100.60", "1")]))
        assert isinstance(delta, BookDelta)
        assert delta.bids == [("100.60", "1"), ("91.50", "0")]

    def test_a_depth_that_does_not_exist_is_not_believed(self) -> None:
        wire = replaying(Kraken)
        wire.parse(answer(result={"channel": "book", "depth": 0, "symbol": PAIR}))
        assert len(wire.parse(KrakenBook(10, BIDS, ASKS).snapshot())) == 1
