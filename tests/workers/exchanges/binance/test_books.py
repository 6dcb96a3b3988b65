from __future__ import annotations

import pytest

from foxtrot_protocol.events import (
    BookDelta,
    BookSnapshot,
    Gap,
)
from foxtrot_workers.adapter import (
    BookLost,
    RestRequest,
)
from foxtrot_workers.exchanges.binance.adapter import Binance
from tests.workers.exchanges.binance.subscribed import BOOK_STREAM, SNAPSHOT_PATH, Subscribed
from tests.workers.exchanges.samples import (
    MS,
    binance_delta,
    binance_frame,
    binance_partial_book,
)

NS = MS * 1_000_000


def test_a_book_is_held_back_until_its_snapshot_fits() -> None:
    wire = Subscribed("book")
    assert wire.parse(binance_frame(BOOK_STREAM, binance_delta(150, 156)), 1) == []
    assert wire.parse(binance_frame(BOOK_STREAM, binance_delta(157, 165)), 2) == []
    assert wire.take_notices() == [RestRequest("depth BNBBTC", SNAPSHOT_PATH, 50, 0.0)]
    assert wire.adapter.last_data_ns == {}
    assert wire.rest(binance_partial_book(160)) == [
        BookSnapshot("BINANCE", "BNBBTC", 0, 8, [("0.0024", "10")], [("0.0026", "100")], None, "160", None),
        BookDelta("BINANCE", "BNBBTC", NS, 2, [("0.0024", "10")], [], "157", "165", None),
    ]
    assert wire.adapter.last_data_ns == {BOOK_STREAM: 8}
    assert [event.receive_ns for event in wire.parse(binance_frame(BOOK_STREAM, binance_delta(166, 166)), 9)] == [9]
    assert wire.adapter.last_data_ns == {BOOK_STREAM: 9}


def test_resync_requests_a_snapshot_by_rest() -> None:
    wire = Subscribed("book", "trade")
    assert wire.adapter.resync(wire.topics) == []
    assert wire.take_notices() == [], "it waits for its snapshot anyway"
    wire.parse(binance_frame(BOOK_STREAM, binance_delta(157, 165)), 2)
    wire.rest(binance_partial_book(160))
    wire.take_notices()
    assert wire.adapter.resync(wire.topics) == []
    assert wire.take_notices() == [RestRequest("depth BNBBTC", SNAPSHOT_PATH, 50, 0.0)]
    (whole,) = wire.rest(binance_partial_book(165))
    assert isinstance(whole, BookSnapshot)
    assert whole.last_id == "165"
    assert wire.adapter.resync(Binance().topics(["book"], ["ETHBTC"])) == []
    assert wire.take_notices() == []


def test_missing_updates_are_a_gap_and_a_new_snapshot_is_requested() -> None:
    wire = Subscribed("book")
    wire.parse(binance_frame(BOOK_STREAM, binance_delta(1, 1)), 1)
    wire.rest(binance_partial_book(1))
    wire.parse(binance_frame(BOOK_STREAM, binance_delta(2, 2)), 2)
    wire.take_notices()
    (gap,) = wire.parse(binance_frame(BOOK_STREAM, binance_delta(5, 6)), 3)
    assert isinstance(gap, Gap)
    assert (gap.first_id, gap.last_id, gap.start_ns, gap.end_ns) == ("3", "4", 2, 3)
    lost, request = wire.take_notices()
    assert lost == BookLost(BOOK_STREAM, "BNBBTC", gap.cause)
    assert isinstance(request, RestRequest)
    assert wire.adapter.last_data_ns == {BOOK_STREAM: 2}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (0, b""),
        (500, b'{"lastUpdateId":1,"bids":[],"asks":[]}'),
        (429, b'{"code":-1003,"msg":"slow down"}'),
        (200, b"{"),
        (200, b"[" * 100_000),
        (200, b'{"lastUpdateId":1}'),
        (200, b'{"lastUpdateId":"1","bids":[],"asks":[]}'),
        (200, b'{"lastUpdateId":1,"bids":[["\xff","1"]],"asks":[]}'),
    ],
)
def test_an_unusable_snapshot_is_requested_again_with_backoff(status: int, body: bytes) -> None:
    wire = Subscribed("book")
    wire.parse(binance_frame(BOOK_STREAM, binance_delta(1, 1)))
    delays = []
    for _ in range(3):
        assert wire.rest(body, status=status) == []
        delays += [notice.delay_s for notice in wire.take_notices() if isinstance(notice, RestRequest)]
    assert delays == [0.0, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "path",
    [
        "https://www.binance.com/api/v1/depth?symbol=BNBBTC&limit=5000",
        "https://api.binance.us/api/v3/depth?limit=100&symbol=BNBBTC",
        "/api/v3/depth?symbol=bnbbtc",
    ],
)
def test_a_snapshot_is_recognized_by_any_form_of_its_path(path: str) -> None:
    wire = Subscribed(adopt=True)
    assert len(wire.rest(binance_partial_book(160), path=path)) == 1


@pytest.mark.parametrize("path", ["", "/api/v3/ticker?symbol=BNBBTC", "/api/v3/depth", "/api/v3/depth?symbol=%00"])
def test_answers_to_other_requests_are_ignored(path: str) -> None:
    wire = Subscribed("book", adopt=True)
    assert wire.rest(binance_partial_book(160), path=path) == []
    assert wire.take_notices() == []


def test_a_snapshot_older_than_the_updates_does_not_make_the_topic_flow() -> None:
    wire = Subscribed("book")
    wire.parse(binance_frame(BOOK_STREAM, binance_delta(100, 101)))
    assert wire.rest(binance_partial_book(50)) == []
    assert wire.adapter.last_data_ns == {}


def test_both_update_speeds_feed_one_book() -> None:
    wire = Subscribed(adopt=True)
    wire.parse(binance_frame(BOOK_STREAM, binance_delta(1, 1)))
    wire.parse(binance_frame("bnbbtc@depth", binance_delta(1, 2)))
    assert [type(event) for event in wire.rest(binance_partial_book(0))] == [BookSnapshot, BookDelta, BookDelta]


def test_a_snapshot_without_a_book_is_dropped() -> None:
    wire = Subscribed("trade")
    assert wire.rest(binance_partial_book(160)) == []
