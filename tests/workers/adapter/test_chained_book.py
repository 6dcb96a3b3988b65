"""Books whose snapshot comes on the stream."""

from __future__ import annotations

import pytest

from foxtrot_protocol.events import EVENT_BOOK, BookDelta, BookSnapshot, Gap, MarketEvent
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.notices import BookLost, Notice, Resubscribe


def count_checksum(book: OrderBook[str]) -> int:
    """A checksum that tests can do in their heads: the number of levels."""
    return book.bid_count + book.ask_count


class Chained:
    def __init__(self) -> None:
        self.book = ChainedBook("EX", "X", "books:X", count_checksum)
        self.out: list[MarketEvent[str]] = []
        self.notices: list[Notice] = []
        self._now = 0

    def snapshot(self, last: int | None, checksum: int | None = None, price: str = "1") -> list[MarketEvent[str]]:
        self._now += 1
        event = BookSnapshot("EX", "X", 0, self._now, [(price, "1")], [("2", "1")], None, None, checksum)
        self.book.snapshot(event, last, self.out, self.notices)
        return self.taken()

    def update(
        self, follows: int | None, last: int | None, checksum: int | None = None, price: str = "0.5"
    ) -> list[MarketEvent[str]]:
        self._now += 1
        event = BookDelta("EX", "X", 0, self._now, [(price, "1")], [], None, None, checksum)
        self.book.update(event, follows, last, self.out, self.notices)
        return self.taken()

    def quiet(self, follows: int) -> list[MarketEvent[str]]:
        self._now += 1
        event: BookDelta[str] = BookDelta("EX", "X", 0, self._now, [], [], None, None, None)
        self.book.quiet(event, follows, self.out, self.notices)
        return self.taken()

    def taken(self) -> list[MarketEvent[str]]:
        taken = list(self.out)
        self.out.clear()
        return taken

    def lost(self, events: list[MarketEvent[str]], reason: str) -> Gap:
        """Exactly one gap, one loss and one request to subscribe again."""
        (gap,) = events
        assert isinstance(gap, Gap)
        assert reason in gap.cause
        assert self.notices == [BookLost("books:X", "X", gap.cause), Resubscribe("books:X", gap.cause)]
        self.notices.clear()
        assert not self.book.live
        return gap


def test_updates_chain_by_the_predecessors_id_and_ids_may_leap() -> None:
    chained = Chained()
    assert len(chained.snapshot(100)) == 1
    assert chained.book.live
    for follows, last in ((100, 107), (107, 200), (200, 293)):
        assert len(chained.update(follows, last)) == 1
    assert chained.notices == []


def test_a_break_is_announced_once_and_nothing_published_until_the_next_snapshot() -> None:
    chained = Chained()
    chained.snapshot(100)
    chained.update(100, 107)
    gap = chained.lost(chained.update(110, 115), "follows 110, not 107")
    assert (gap.first_id, gap.last_id, gap.start_ns, gap.end_ns, gap.stream) == (None, "110", 2, 3, EVENT_BOOK)
    assert chained.update(115, 120) == []
    assert chained.notices == []
    assert len(chained.snapshot(500)) == 1
    assert len(chained.update(500, 501)) == 1


def test_a_keepalive_is_not_published() -> None:
    chained = Chained()
    chained.snapshot(100)
    assert chained.quiet(100) == []
    assert len(chained.update(100, 101)) == 1
    chained.lost(chained.quiet(100), "follows 100, not 101")


def test_a_keepalive_before_any_snapshot_is_a_gap() -> None:
    chained = Chained()
    chained.lost(chained.quiet(100), "before any snapshot")


def test_a_sequence_reset_with_a_continuing_chain_is_accepted() -> None:
    chained = Chained()
    chained.snapshot(100)
    assert len(chained.update(100, 3)) == 1
    assert len(chained.update(3, 5)) == 1


def test_an_update_before_any_snapshot_is_one_gap() -> None:
    chained = Chained()
    gap = chained.lost(chained.update(1, 2), "before any snapshot")
    assert gap.start_ns == gap.end_ns == 1
    assert chained.update(2, 3) == []
    assert chained.notices == []


def test_without_ids_nothing_is_compared() -> None:
    chained = Chained()
    chained.snapshot(None)
    assert len(chained.update(None, None)) == 1
    assert len(chained.update(7, 8)) == 1
    assert len(chained.update(None, None)) == 1


def test_checksums_are_compared_where_they_are_sent() -> None:
    chained = Chained()
    assert len(chained.snapshot(None, 2)) == 1
    assert len(chained.update(None, None, 3)) == 1
    assert len(chained.update(None, None, None, price="0.6")) == 1  # not sent, yet folded
    assert len(chained.update(None, None, 5, price="0.7")) == 1
    chained.lost(chained.update(None, None, 99, price="0.8"), "checksum 99 was sent, 6 computed")
    chained.lost(chained.snapshot(None, 3), "checksum 3 was sent, 2 computed")
    assert len(chained.snapshot(None, 2)) == 1


def test_without_checksums_no_book_is_kept_and_none_compared() -> None:
    chained = Chained()
    assert len(chained.snapshot(1)) == 1
    assert len(chained.update(1, 2, 99)) == 1
    plain = ChainedBook("EX", "X", "books:X")
    out: list[MarketEvent[str]] = []
    plain.snapshot(BookSnapshot("EX", "X", 0, 0, [("1", "1")], [("2", "1")], None, "1", None), 1, out, [])
    plain.snapshot(BookSnapshot("EX", "X", 0, 0, [], [], None, None, 42), 1, out, [])
    assert len(out) == 2


@pytest.mark.parametrize("price", ["abc", "-1"])
def test_invalid_numbers_invalidate_a_book_with_checksums(price: str) -> None:
    chained = Chained()
    chained.lost(chained.snapshot(None, 2, price=price), price)
    chained.snapshot(None, 2)
    chained.lost(chained.update(None, None, 3, price=price), price)


def test_a_book_that_stays_crossed_is_lost() -> None:
    chained = Chained()
    chained.snapshot(1)
    chained._now = 2_000_000_000
    assert len(chained.update(1, 2, price="2.5")) == 1
    assert len(chained.update(2, 3)) == 1
    chained._now = 4_000_000_000
    update, *rest = chained.update(3, 4)
    assert isinstance(update, BookDelta)
    gap = chained.lost(rest, "crossed for 2.0 s: the best bid is 2.5, the best ask 2")
    assert (gap.start_ns, gap.end_ns) == (0, 4_000_000_001)
    assert chained.update(4, 5) == []
    assert len(chained.snapshot(9)) == 1
    chained._now = 9_000_000_000
    assert len(chained.update(9, 10)) == 1


class TestDepth:
    """An exchange that does not say that a level has left the depth, and whose snapshots have no checksum."""

    def _book(self) -> tuple[ChainedBook, list[MarketEvent[str]], list[Notice]]:
        book = ChainedBook("EX", "X", "books:X", count_checksum, depth=2)
        out: list[MarketEvent[str]] = []
        notices: list[Notice] = []
        snapshot: BookSnapshot[str] = BookSnapshot(
            "EX", "X", 0, 1, [("10", "1"), ("9", "1")], [("11", "1"), ("12", "1")], None, None, None
        )
        book.snapshot(snapshot, None, out, notices)
        assert out.pop() is snapshot
        return book, out, notices

    def _update(self, bids: list[tuple[str, str]], asks: list[tuple[str, str]], checksum: int) -> BookDelta[str]:
        return BookDelta("EX", "X", 0, 2, bids, asks, None, None, checksum)

    def test_a_level_that_leaves_the_depth_is_removed_by_the_update_that_is_published(self) -> None:
        book, out, notices = self._book()
        book.update(self._update([("9.5", "3")], [("11.5", "2"), ("10.5", "1")], 7), None, None, out, notices)
        (event,) = out
        assert isinstance(event, BookDelta)
        assert event.bids == [("9.5", "3"), ("9", "0")]
        assert event.asks == [("10.5", "1"), ("12", "0"), ("11.5", "0")], "what it adds beyond the depth is not added"
        assert notices == []

    def test_consumers_have_the_same_book_whatever_leaves_and_comes_back(self) -> None:
        book, out, notices = self._book()
        consumer: OrderBook[str] = OrderBook("X")
        consumer.snapshot([("10", "1"), ("9", "1")], [("11", "1"), ("12", "1")])
        exchange: OrderBook[str] = OrderBook("X", depth=2)
        exchange.snapshot([("10", "1"), ("9", "1")], [("11", "1"), ("12", "1")])
        for bids in ([("9.5", "1")], [("10", "0"), ("9", "4")], [("9.7", "1"), ("9.6", "1")], [("9.6", "0.00")]):
            before = OrderBook[str]("X")
            before.snapshot(consumer.best_bids(9), consumer.best_asks(9))
            before.apply(bids, [])
            book.update(self._update(bids, [], before.bid_count + before.ask_count), None, None, out, notices)
            event = out.pop()
            assert isinstance(event, BookDelta)
            consumer.apply(event.bids, event.asks)
            exchange.apply(bids, [])
            assert consumer.best_bids(9) == exchange.best_bids(9)
        assert notices == []

    def test_a_longer_snapshot_is_cut(self) -> None:
        book, out, notices = self._book()
        levels = [("10", "1"), ("9", "1"), ("8", "1")]
        book.snapshot(BookSnapshot("EX", "X", 0, 3, levels, [], None, None, None), None, out, notices)
        (event,) = out
        assert isinstance(event, BookSnapshot)
        assert event.bids == levels[:2]

    def test_a_checksum_is_compared_although_the_snapshot_had_none(self) -> None:
        book, out, notices = self._book()
        book.update(self._update([("10", "2")], [], 5), None, None, out, notices)
        (gap,) = out
        assert isinstance(gap, Gap)
        assert "checksum 5 was sent, 4 computed" in gap.cause

    def test_a_book_may_be_lost_for_a_reason_of_the_connection(self) -> None:
        book, out, notices = self._book()
        book.lose("the connection's sequence leaps", 5, 6, out, notices)
        (gap,) = out
        assert isinstance(gap, Gap)
        assert (gap.cause, gap.exchange_ns, gap.start_ns, gap.end_ns) == ("the connection's sequence leaps", 5, 1, 6)
        assert [type(notice).__name__ for notice in notices] == ["BookLost", "Resubscribe"]
        book.lose("again", 7, 8, out, notices)
        assert len(out) == 1, "a book that is not live is lost already"
