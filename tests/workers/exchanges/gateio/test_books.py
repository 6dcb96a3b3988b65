from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_workers.adapter import RestRequest, Resubscribe
from foxtrot_workers.exchanges.gateio.adapter import Gateio
from foxtrot_workers.exchanges.gateio.books import symbol_of_snapshot
from foxtrot_workers.exchanges.gateio.variants import GateioFutures
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.gateio.samples import (
    FUTURES_OBU,
    FUTURES_OBU_DELTA,
    FUTURES_SNAPSHOT,
    FUTURES_UPDATE,
    SNAPSHOT,
    UPDATE,
)

PATH = "/api/v4/spot/order_book?currency_pair=GMT_USDT&limit=100&with_id=true"
FUTURES_PATH = "/api/v4/futures/usdt/order_book?contract=RDNT_USDT&limit=100&with_id=true"


def test_updates_wait_for_a_snapshot() -> None:
    wire = Driven(Gateio, ["book_update"], ["GMT_USDT"])
    assert wire.parse(UPDATE) == []
    assert wire.take_notices() == [RestRequest("book GMT_USDT", PATH)]
    snapshot, delta = wire.answer(PATH, SNAPSHOT % 140595901)
    assert snapshot == BookSnapshot(
        "GATEIO",
        "GMT_USDT",
        1650189272590_000000,
        RECEIVE_NS,
        [("2.4", "2")],
        [("2.6", "1")],
        None,
        "140595901",
        None,
    )
    assert delta == BookDelta(
        "GATEIO",
        "GMT_USDT",
        1650189272515_000000,
        RECEIVE_NS,
        [("2.51518", "228.119")],
        [("2.5182", "4.199")],
        "140595902",
        "140595902",
        None,
    )
    assert wire.parse(UPDATE) == [], "a repetition"
    (gap,) = wire.parse(UPDATE.replace("140595902", "140595909"))
    assert isinstance(gap, Gap)
    assert (gap.first_id, gap.last_id) == ("140595903", "140595908")


def test_an_update_with_all_levels_replaces_the_book() -> None:
    wire = Driven(Gateio, ["book_update"], ["GMT_USDT"])
    (snapshot,) = wire.parse(UPDATE.replace('"e":', '"full": true, "e":'))
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.last_id == "140595902"


def test_a_futures_book_counts_contracts() -> None:
    wire = Driven(GateioFutures, ["book_update"], ["RDNT_USDT"])
    wire.parse(FUTURES_UPDATE)
    assert wire.take_notices() == [RestRequest("book RDNT_USDT", FUTURES_PATH)]
    (snapshot,) = wire.answer(FUTURES_PATH, FUTURES_SNAPSHOT.encode())
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.bids, snapshot.asks, snapshot.exchange_ns) == (
        [("0.2972", "5383")],
        [("0.2974", "803")],
        1684930166350000000,
    )
    (delta,) = wire.parse(FUTURES_UPDATE.replace("203083177", "203083288"))
    assert isinstance(delta, BookDelta)
    assert (delta.bids, delta.asks) == ([], [("0.2983", "0")])


def test_a_book_on_the_stream_follows_its_updates() -> None:
    wire = Driven(GateioFutures, ["book50_obu"], ["BTC_USDT"])
    (snapshot,) = wire.parse(FUTURES_OBU)
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.last_id, snapshot.bids) == ("73777715168", [("104027.1", "509392")])
    (delta,) = wire.parse(FUTURES_OBU_DELTA)
    assert isinstance(delta, BookDelta)
    assert (delta.first_id, delta.last_id, delta.bids, delta.asks) == (
        "73777715169",
        "73777715212",
        [("104027.1", "0")],
        [],
    )
    (again,) = wire.parse(FUTURES_OBU)
    assert isinstance(again, BookSnapshot), "a whole book may come at any time"
    (gap,) = wire.parse(FUTURES_OBU_DELTA.replace("73777715169", "73777715170"))
    assert isinstance(gap, Gap)
    assert any(isinstance(notice, Resubscribe) for notice in wire.take_notices())
    assert wire.adapter.resync(wire.topics) == wire.topics


def test_an_update_without_its_first_identifier_is_refused() -> None:
    wire = Driven(GateioFutures, ["book50_obu"], ["BTC_USDT"])
    wire.parse(FUTURES_OBU)
    with pytest.raises(msgspec.ValidationError, match="`U`"):
        wire.parse(FUTURES_OBU_DELTA.replace('"U": 73777715169, ', ""))


@pytest.mark.parametrize(
    ("path", "key", "symbol"),
    [
        (PATH, "currency_pair", "GMT_USDT"),
        (f"https://api.gateio.ws{FUTURES_PATH}", "contract", "RDNT_USDT"),
        (PATH, "contract", None),
        ("/api/v4/spot/trades?currency_pair=GMT_USDT", "currency_pair", None),
    ],
)
def test_which_answers_are_snapshots(path: str, key: str, symbol: str | None) -> None:
    assert symbol_of_snapshot(path, key) == symbol
