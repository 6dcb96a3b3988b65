from __future__ import annotations

import pytest

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.bitget.adapter import Bitget
from foxtrot_workers.exchanges.bitget.variants import BitgetFutures
from tests.workers.exchanges.bitget.samples import past_trade
from tests.workers.exchanges.driven import RECEIVE_NS, Driven


def test_pages_run_backwards() -> None:
    wire = Driven(Bitget, ["trade"], ["OPUSDT"])
    path = "/api/v2/spot/market/fills-history?symbol=OPUSDT&limit=1000&idLessThan=80"
    assert wire.adapter.backfill_request("OPUSDT", EVENT_MARKET_TRADE, 70, 79) == RestRequest("trades OPUSDT", path, 2)
    assert wire.adapter.backfill_request("OPUSDT", EVENT_BOOK, 70, 79) is None
    assert wire.adapter.backfill_request("BTCUSDT", EVENT_MARKET_TRADE, 70, 79) is None
    body = f'{{"code":"00000","data":[{past_trade(79)}]}}'.encode()
    assert wire.adapter.on_backfill(path, body, RECEIVE_NS) == [
        Trade("BITGET", "OPUSDT", 1730332800983_000000, RECEIVE_NS, "1.7", "2", "sell", "79")
    ]
    futures = Driven(BitgetFutures, ["trade"], ["BTCUSDT"])
    request = futures.adapter.backfill_request("BTCUSDT", EVENT_MARKET_TRADE, 70, 79)
    assert request is not None
    assert request.path == (
        "/api/v2/mix/market/fills-history?symbol=BTCUSDT&productType=USDT-FUTURES&limit=1000&idLessThan=80"
    )


def test_a_refusal_is_an_error() -> None:
    with pytest.raises(ValueError, match="40034"):
        Bitget().on_backfill("", b'{"code":"40034","msg":"no such symbol"}', RECEIVE_NS)
