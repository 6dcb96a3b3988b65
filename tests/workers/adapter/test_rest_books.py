"""Books of one connection with snapshots by REST, whatever the exchange's answers look like."""

from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, MarketEvent
from foxtrot_workers.adapter import Notice, RestRequest, SnapshotRejected, Topic
from foxtrot_workers.adapter.rest_books import REASON_BYTES, RestBooks


def read(symbol: str, body: bytes, receive_ns: int) -> BookSnapshot[str]:
    last_id = msgspec.json.decode(body, type=str)
    return BookSnapshot("X", symbol, 0, receive_ns, [("1", "2")], [("3", "4")], None, last_id, None)


def delta(symbol: str, number: int) -> BookDelta[str]:
    return BookDelta("X", symbol, 0, number, [("1", "5")], [], str(number), str(number), None)


class Connection:
    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.out: list[MarketEvent[str]] = []
        self.books = RestBooks("X", self.notices, lambda symbol: RestRequest(f"depth {symbol}", f"/{symbol}"), read)

    def answer(self, symbol: str, status: int, body: bytes) -> bool:
        return self.books.take_snapshot(symbol, status, body, 9, self.out) is not None


def test_each_symbol_has_one_book_that_becomes_live_with_its_snapshot() -> None:
    connection = Connection()
    book = connection.books.open("A", "book:A")
    assert connection.books.open("A", "other") is book
    assert len(connection.books) == 1
    book.delta(delta("A", 7), 7, 7, None, connection.out, connection.notices)
    assert connection.notices == [RestRequest("depth A", "/A")]
    assert connection.answer("A", 200, b'"6"')
    assert book.live
    assert [type(event) for event in connection.out] == [BookSnapshot, BookDelta]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, b"broken", "its snapshot: status 500"),
        (0, b"no answer", "its snapshot: no answer"),
        (200, b"{", "its snapshot cannot be read"),
        (200, b'"x"', "its snapshot cannot be read"),
        (200, b'"\xff"', "its snapshot cannot be read"),
        (200, b"[" * 100_000, "its snapshot cannot be read"),
    ],
)
def test_an_unusable_answer_is_reported_and_requested_again(status: int, body: bytes, reason: str) -> None:
    connection = Connection()
    connection.books.open("A", "book:A")
    assert not connection.answer("A", status, body)
    rejected, request = connection.notices
    assert isinstance(rejected, SnapshotRejected)
    assert reason in rejected.reason
    assert len(rejected.reason) <= REASON_BYTES + 20
    assert request == RestRequest("depth A", "/A", delay_s=1.0)
    assert connection.out == []


def test_live_books_are_resynchronized_and_closed_ones_forgotten() -> None:
    connection = Connection()
    topic = Topic("book", "A", "book:A")
    connection.books.open("A", "book:A")
    connection.answer("A", 200, b'"6"')
    connection.books.resync([topic, Topic("book5", "A", "book5:A"), Topic("book", "B", "book:B")])
    assert connection.notices == [RestRequest("depth A", "/A")]
    connection.books.close("A")
    connection.books.close("A")
    assert connection.books.get("A") is None
