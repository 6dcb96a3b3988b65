from __future__ import annotations

import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_workers.adapter import BookLost, RestRequest, Resubscribe, SnapshotRejected
from foxtrot_workers.exchanges.bybit.adapter import Bybit
from foxtrot_workers.exchanges.bybit.books import symbol_of_full_book
from tests.workers.exchanges.bybit.samples import BOOK, BOOK_DELTA, FULL_ANSWER, FULL_DELTA, RPI_BOOK
from tests.workers.exchanges.driven import RECEIVE_NS, Driven

PATH = "/v5/market/full_orderbook?category=spot&symbol=BTCUSDT"


def next_delta(update_id: int = 18521289) -> str:
    return BOOK_DELTA.replace("177400507", str(update_id))


def test_a_book_is_a_snapshot_and_dense_updates() -> None:
    wire = Driven(Bybit, ["book50"], ["BTCUSDT"])
    snapshot, delta = wire.parse(BOOK) + wire.parse(next_delta())
    assert snapshot == BookSnapshot(
        "BYBIT",
        "BTCUSDT",
        1672304484976_000_000,
        RECEIVE_NS,
        [("16493.50", "0.006")],
        [("16611.00", "0.029")],
        None,
        "18521288",
        None,
    )
    assert delta == BookDelta(
        "BYBIT",
        "BTCUSDT",
        1687940967464_000_000,
        RECEIVE_NS,
        [("30240.00", "0")],
        [("30249.30", "0.892")],
        "18521289",
        "18521289",
        None,
    )


def test_a_missing_update_is_a_gap_until_the_next_snapshot() -> None:
    wire = Driven(Bybit, ["book50"], ["BTCUSDT"])
    wire.parse(BOOK)
    (gap,) = wire.parse(next_delta(18521291))
    assert isinstance(gap, Gap)
    assert gap.last_id == "18521290"
    wires = [type(notice) for notice in wire.take_notices()]
    assert wires == [BookLost, Resubscribe]
    assert wire.parse(next_delta(18521292)) == []
    assert isinstance(wire.parse(BOOK)[0], BookSnapshot)


@pytest.mark.parametrize("frame", [BOOK.replace("18521288", "77"), next_delta(1)])
def test_a_snapshot_or_the_first_update_of_a_restarted_service_replaces_the_book(frame: str) -> None:
    wire = Driven(Bybit, ["book50"], ["BTCUSDT"])
    wire.parse(BOOK)
    (event,) = wire.parse(frame)
    assert isinstance(event, BookSnapshot)
    assert wire.take_notices() == []
    assert isinstance(wire.parse(next_delta(int(event.last_id or 0) + 1))[0], BookDelta)


def test_the_time_of_older_frames_is_that_of_the_gateway() -> None:
    wire = Driven(Bybit, ["book50"], ["BTCUSDT"])
    (event,) = wire.parse(BOOK.replace(',"cts":1672304484976', ""))
    assert event.exchange_ns == 1672304484978_000_000


def test_a_level_with_price_improvement_has_the_sum_of_its_parts() -> None:
    wire = Driven(Bybit, ["book_rpi"], ["BTCUSDT"])
    (event,) = wire.parse(RPI_BOOK)
    assert isinstance(event, BookSnapshot)
    assert event.bids == [("117962.40", "0.506"), ("117962.30", "2.400")]
    assert event.asks == [("117962.50", "1")]
    (event,) = wire.parse(RPI_BOOK.replace("snapshot", "delta").replace('"u":5', '"u":6').replace('"1","0"', '"0","0"'))
    assert isinstance(event, BookDelta)
    assert event.asks == [("117962.50", "0")]


def test_the_full_book_begins_with_an_answer_by_rest() -> None:
    wire = Driven(Bybit, ["book_full"], ["BTCUSDT"])
    assert wire.parse(FULL_DELTA) == []
    assert wire.take_notices() == [RestRequest("book BTCUSDT", PATH)]
    assert wire.adapter.held_ns == {"orderbook.full.BTCUSDT": RECEIVE_NS}
    snapshot, delta = wire.answer(PATH, FULL_ANSWER.encode())
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.last_id, snapshot.exchange_ns) == ("439925", 1784103578350_000_000)
    assert isinstance(delta, BookDelta)
    assert wire.adapter.last_data_ns == {"orderbook.full.BTCUSDT": RECEIVE_NS}
    assert len(wire.parse(FULL_DELTA.replace("439926", "439927"))) == 1


@pytest.mark.parametrize("body", [b"{}", b'{"retCode":10001,"retMsg":"params error"}', FULL_ANSWER.encode()[:-9]])
def test_an_unusable_answer_is_requested_again(body: bytes) -> None:
    wire = Driven(Bybit, ["book_full"], ["BTCUSDT"])
    wire.parse(FULL_DELTA)
    wire.take_notices()
    assert wire.answer(PATH, body) == []
    assert [type(notice) for notice in wire.take_notices()] == [SnapshotRejected, RestRequest]


def test_other_answers_are_not_books() -> None:
    assert symbol_of_full_book(PATH) == "BTCUSDT"
    assert symbol_of_full_book("https://api.bybit.com/v5/market/full_orderbook?symbol=") is None
    assert symbol_of_full_book("/v5/market/orderbook?symbol=BTCUSDT") is None
    assert Driven(Bybit, ["book"], ["BTCUSDT"]).answer(PATH, FULL_ANSWER.encode()) == []
    assert len(Driven(Bybit, adopt=True).answer(PATH, FULL_ANSWER.encode())) == 1
