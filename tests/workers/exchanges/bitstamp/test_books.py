from __future__ import annotations

import json

import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, MarketEvent
from foxtrot_workers.adapter import RestRequest, SnapshotRejected
from foxtrot_workers.exchanges.bitstamp.adapter import Bitstamp
from foxtrot_workers.exchanges.bitstamp.books import snapshot_request, symbol_of_snapshot
from tests.workers.exchanges.bitstamp.samples import DIFFERENCE, PICTURE
from tests.workers.exchanges.driven import RECEIVE_NS, Driven

WIRE = "diff_order_book_btcusd"
PATH = "/api/v2/order_book/btcusd/?group=1"


def _difference(time: int, size: str = "1") -> str:
    data = {"timestamp": "1", "microtimestamp": str(time), "bids": [["10", size]], "asks": []}
    return json.dumps({"data": data, "channel": WIRE, "event": "data"}, separators=(",", ":"))


def _answer(time: int) -> bytes:
    book = {"timestamp": "1", "microtimestamp": str(time), "bids": [["10", "5"]], "asks": [["11", "5"]]}
    return json.dumps(book).encode()


def _ids(events: list[MarketEvent[str]]) -> list[tuple[str, str | None]]:
    return [(type(e).__name__, e.last_id) for e in events if isinstance(e, BookSnapshot | BookDelta)]


def test_the_first_difference_requests_the_snapshot() -> None:
    wire = Driven(Bitstamp, ["book"], ["btcusd"])
    assert wire.parse(DIFFERENCE) == []
    assert wire.take_notices() == [RestRequest("book btcusd", PATH)]
    assert wire.adapter.held_ns == {WIRE: RECEIVE_NS}


def test_differences_before_the_snapshot_are_dropped() -> None:
    wire = Driven(Bitstamp, ["book"], ["btcusd"])
    for time in (100, 200, 300, 400):
        wire.parse(_difference(time))
    assert _ids(wire.answer(PATH, _answer(200))) == [
        ("BookSnapshot", "199"),
        ("BookDelta", "200"),
        ("BookDelta", "300"),
        ("BookDelta", "400"),
    ]
    [delta] = wire.parse(_difference(500, "0.00000000"))
    assert delta == BookDelta("BITSTAMP", "btcusd", 500_000, RECEIVE_NS, [("10", "0.00000000")], [], "401", "500", None)
    assert wire.adapter.last_data_ns == {WIRE: RECEIVE_NS}


def test_a_snapshot_between_two_differences_fits() -> None:
    wire = Driven(Bitstamp, ["book"], ["btcusd"])
    for time in (100, 200):
        wire.parse(_difference(time))
    assert _ids(wire.answer(PATH, _answer(150))) == [("BookSnapshot", "149"), ("BookDelta", "200")]


def test_a_snapshot_that_is_older_than_the_first_difference_is_requested_again() -> None:
    wire = Driven(Bitstamp, ["book"], ["btcusd"])
    wire.parse(_difference(100))
    wire.take_notices()
    assert wire.answer(PATH, _answer(99)) == []
    [request] = wire.take_notices()
    assert isinstance(request, RestRequest)
    assert request.delay_s > 0
    assert len(wire.answer(PATH, _answer(100))) == 2


@pytest.mark.parametrize(("status", "body"), [(500, b""), (0, b"no answer"), (200, b"{}"), (200, b"[" * 100_000)])
def test_an_answer_that_cannot_be_used_is_requested_again(status: int, body: bytes) -> None:
    wire = Driven(Bitstamp, ["book"], ["btcusd"])
    wire.parse(_difference(100))
    wire.take_notices()
    assert wire.answer(PATH, body, status) == []
    assert [type(notice) for notice in wire.take_notices()] == [SnapshotRejected, RestRequest]


def test_other_answers_are_ignored() -> None:
    wire = Driven(Bitstamp, ["book"], ["btcusd"])
    for path in ("/api/v2/ticker/btcusd/", "/api/v2/order_book/ethusd/", "/api/v2/order_book/"):
        assert wire.answer(path, _answer(1)) == []
    assert wire.take_notices() == []


def test_resync_requests_a_snapshot_of_a_live_book() -> None:
    wire = Driven(Bitstamp, ["book"], ["btcusd"])
    wire.parse(_difference(100))
    wire.answer(PATH, _answer(100))
    wire.take_notices()
    assert wire.adapter.resync(wire.topics) == []
    assert wire.take_notices() == [snapshot_request("btcusd")]
    assert _ids(wire.parse(_difference(200))) == [("BookDelta", "200")]
    assert _ids(wire.answer(PATH, _answer(150))) == [("BookSnapshot", "200")]


def test_a_picture_is_a_snapshot() -> None:
    [book] = Driven(Bitstamp, ["book100"], ["btcusd"]).parse(PICTURE)
    assert isinstance(book, BookSnapshot)
    assert (book.bids, book.last_id) == ([("8732.02", "0.00002478")], "1583656800237527")


@pytest.mark.parametrize(
    ("path", "symbol"),
    [
        (PATH, "btcusd"),
        ("https://www.bitstamp.net/api/v2/order_book/sgbeur", "sgbeur"),
        ("/api/v2/order_book/", ""),
        ("/api/v2/order_book/A B/", ""),
        ("", ""),
    ],
)
def test_the_path_of_a_snapshot_names_its_market(path: str, symbol: str) -> None:
    assert symbol_of_snapshot(path) == symbol


def test_recorded_answers_open_their_books() -> None:
    wire = Driven(Bitstamp, adopt=True)
    assert len(wire.answer("https://www.bitstamp.net/api/v2/order_book/btcusd", _answer(100))) == 1
    assert _ids(wire.parse(_difference(100))) == [("BookDelta", "100")]


def test_a_subscription_that_is_repeated_begins_the_book_again() -> None:
    wire = Driven(Bitstamp, ["book"], ["btcusd"])
    wire.parse(_difference(100))
    wire.answer(PATH, _answer(100))
    wire.take_notices()
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    assert wire.parse(_difference(300)) == []
    assert wire.take_notices() == [snapshot_request("btcusd")]
