from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.gateio.adapter import Gateio
from foxtrot_workers.exchanges.gateio.history import contract_size, time_ns_of
from foxtrot_workers.exchanges.gateio.variants import GateioFutures
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.gateio.samples import contract_trade, pair_trade


@pytest.mark.parametrize(
    ("times", "ns"),
    [
        (("1619093546958.116",), 1619093546958116000),
        ((1545136464123,), 1545136464123000000),
        ((None, 1545136464), 1545136464000000000),
        (("1514764800.123",), 1514764800123000000),
        (("", "1514764800.1234567891"), 1514764800123456789),
        ((None, None), 0),
        ((0, 5), 0),
    ],
)
def test_times_come_in_seconds_and_milliseconds(times: tuple[Any, ...], ns: int) -> None:
    assert time_ns_of(*times) == ns


@pytest.mark.parametrize("time", ["x", "-1", "1.2.3", "1e9", [], "9" * 17, "9" * 16, "1.x"])
def test_what_is_no_time_is_refused(time: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        time_ns_of(time)


def test_a_negative_size_sells() -> None:
    assert contract_size(-108) == ("108", "sell")
    assert contract_size("0.5") == ("0.5", "buy")


def test_pages_run_backwards() -> None:
    spot = Driven(Gateio, ["trade"], ["NEO_BTC"])
    path = "/api/v4/spot/trades?currency_pair=NEO_BTC&limit=1000&last_id=80&reverse=true"
    assert spot.adapter.backfill_request("NEO_BTC", EVENT_MARKET_TRADE, 70, 79) == RestRequest("trades NEO_BTC", path)
    assert spot.adapter.backfill_request("NEO_BTC", EVENT_BOOK, 70, 79) is None
    assert spot.adapter.backfill_request("ETH_BTC", EVENT_MARKET_TRADE, 70, 79) is None
    assert spot.adapter.on_backfill(path, f"[{pair_trade(79)}]".encode(), RECEIVE_NS) == [
        Trade("GATEIO", "NEO_BTC", 1548000000123456000, RECEIVE_NS, "0.0018", "1.2", "sell", "79")
    ]
    futures = Driven(GateioFutures, ["trade"], ["BTC_USD"])
    path = "/api/v4/futures/usdt/trades?contract=BTC_USD&limit=1000&last_id=80"
    request = futures.adapter.backfill_request("BTC_USD", EVENT_MARKET_TRADE, 70, 79)
    assert request == RestRequest("trades BTC_USD", path)
    assert futures.adapter.on_backfill(path, f"[{contract_trade(79)}]".encode(), RECEIVE_NS) == [
        Trade("GATEIO_FUTURES", "BTC_USD", 1514764800123000000, RECEIVE_NS, "100.123", "100", "sell", "79")
    ]
