from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_workers.adapter import BookLost, RestRequest, Resubscribe, SnapshotRejected
from foxtrot_workers.exchanges.kucoin.adapter import Kucoin
from foxtrot_workers.exchanges.kucoin.books import change_of_text, changes_of_side, symbol_of_snapshot
from foxtrot_workers.exchanges.kucoin.variants import KucoinFutures
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.kucoin.samples import (
    FUTURES_BOOK,
    FUTURES_LEVEL2,
    LEVEL2,
    OLD_LEVEL2,
    SPOT_BOOK,
    UNIFIED_DELTA,
    UNIFIED_SNAPSHOT,
)

PATH = "/api/v1/market/orderbook/level2_100?symbol=BTC-USDT"


def test_a_spot_book_waits_for_its_snapshot() -> None:
    wire = Driven(Kucoin, ["book"], ["BTC-USDT"])
    assert wire.parse(LEVEL2) == []
    assert wire.take_notices() == [RestRequest("book BTC-USDT", PATH, 3)]
    assert wire.adapter.held_ns == {"/market/level2:BTC-USDT": RECEIVE_NS}
    snapshot, delta = wire.answer(PATH, SPOT_BOOK.encode() % 1545896669104)
    assert snapshot == BookSnapshot(
        "KUCOIN",
        "BTC-USDT",
        1729816425000_000000,
        RECEIVE_NS,
        [("3", "1")],
        [("7", "2")],
        None,
        "1545896669104",
        None,
    )
    assert delta == BookDelta(
        "KUCOIN",
        "BTC-USDT",
        1729816425625_000000,
        RECEIVE_NS,
        [("4", "1")],
        [("6", "1")],
        "1545896669105",
        "1545896669106",
        None,
    )


@pytest.mark.parametrize(("last", "events"), [(6, 2), (7, 2), (8, 1)])
def test_an_update_that_ends_with_the_snapshot_is_published_an_older_one_not(last: int, events: int) -> None:
    wire = Driven(Kucoin, ["book"], ["BTC-USDT"])
    wire.parse(OLD_LEVEL2)
    assert len(wire.answer(PATH, SPOT_BOOK.encode() % last)) == events
    assert wire.parse(OLD_LEVEL2) == [], "a repetition"


def test_missing_updates_are_a_gap_and_a_new_snapshot_is_requested() -> None:
    wire = Driven(Kucoin, ["book"], ["BTC-USDT"])
    wire.parse(OLD_LEVEL2)
    wire.answer(PATH, SPOT_BOOK.encode() % 6)
    wire.take_notices()
    (gap,) = wire.parse(OLD_LEVEL2.replace(":7", ":9"))
    assert isinstance(gap, Gap)
    assert (gap.first_id, gap.last_id) == ("8", "8")
    lost, request = wire.take_notices()
    assert isinstance(lost, BookLost)
    assert isinstance(request, RestRequest)


def test_rows_without_a_price_only_move_the_sequence() -> None:
    assert changes_of_side([("0", "0", "1"), ("0.00", "1", "2"), ("0.10", "1", "3"), ("10", "0", "4")]) == [
        ("0.10", "1"),
        ("10", "0"),
    ]
    assert change_of_text("0,sell,0") == ([], [])
    assert change_of_text("0.2353,sell,0") == ([], [("0.2353", "0")])


@pytest.mark.parametrize("change", ["", "1,2", "1,hold,2", "1,buy,2,3"])
def test_an_invalid_change_is_refused(change: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        change_of_text(change)


def test_a_futures_book_takes_bare_numbers() -> None:
    wire = Driven(KucoinFutures, ["book"], ["C98USDTM"])
    wire.parse(FUTURES_LEVEL2)
    (request,) = wire.take_notices()
    assert isinstance(request, RestRequest)
    assert request.path == "/api/v1/level2/snapshot?symbol=C98USDTM"
    snapshot, delta = wire.answer(request.path, FUTURES_BOOK.encode())
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.bids, snapshot.asks) == ([("0.2353", "100")], [("0.2354", "50")])
    assert snapshot.exchange_ns == 1705881597161000000
    assert isinstance(delta, BookDelta)
    assert (delta.bids, delta.asks, delta.first_id, delta.last_id) == (
        [("0.2353", "146")],
        [],
        "1694868048361",
        "1694868048361",
    )


def test_a_refused_snapshot_is_requested_again() -> None:
    wire = Driven(Kucoin, ["book"], ["BTC-USDT"])
    wire.parse(LEVEL2)
    wire.take_notices()
    assert wire.answer(PATH, b'{"code":"429000","msg":"too many requests"}') == []
    rejected, request = wire.take_notices()
    assert isinstance(rejected, SnapshotRejected)
    assert "429000" in rejected.reason
    assert request == RestRequest("book BTC-USDT", PATH, 3, 1.0)


def test_a_live_book_is_resynchronized_by_rest_and_the_unified_one_on_the_stream() -> None:
    wire = Driven(Kucoin, ["book"], ["BTC-USDT"])
    wire.parse(LEVEL2)
    wire.answer(PATH, SPOT_BOOK.encode() % 1545896669104)
    wire.take_notices()
    assert wire.adapter.resync(wire.topics) == []
    assert wire.take_notices() == [RestRequest("book BTC-USDT", PATH, 3)]
    unified = Driven(Kucoin, ["book500"], ["BTC-USDT"])
    assert unified.adapter.resync(unified.topics) == unified.topics


def test_the_unified_book_follows_its_sequence() -> None:
    wire = Driven(Kucoin, ["book500"], ["BTC-USDT"])
    (snapshot,) = wire.parse(UNIFIED_SNAPSHOT)
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.bids, snapshot.last_id, snapshot.exchange_ns) == (
        [("66532.4", "0.09489")],
        "20452522782",
        1774624848673000000,
    )
    (delta,) = wire.parse(UNIFIED_DELTA)
    assert isinstance(delta, BookDelta)
    assert (delta.asks, delta.first_id, delta.last_id) == ([("66532.5", "0")], "20452522783", "20452522785")
    (gap,) = wire.parse(UNIFIED_DELTA)
    assert isinstance(gap, Gap)
    assert any(isinstance(notice, Resubscribe) for notice in wire.take_notices())
    assert len(wire.parse(UNIFIED_SNAPSHOT)) == 1


@pytest.mark.parametrize(
    ("path", "symbol"),
    [
        (PATH, "BTC-USDT"),
        ("https://api.kucoin.com/api/v3/market/orderbook/level2?symbol=SNX-BTC", "SNX-BTC"),
        ("/api/v1/level2/snapshot?symbol=XBTUSDTM", "XBTUSDTM"),
        ("/api/v1/market/orderbook/level2_100", None),
        ("/api/v1/market/histories?symbol=BTC-USDT", None),
    ],
)
def test_which_answers_are_snapshots(path: str, symbol: str | None) -> None:
    assert symbol_of_snapshot(path) == symbol
