from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BBO, EVENT_MARKET_TRADE
from foxtrot_workers.exchanges.huobi.adapter import Huobi
from foxtrot_workers.exchanges.huobi.history import parse_history
from foxtrot_workers.exchanges.huobi.variants import HuobiSwap
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.huobi.samples import PAST_TRADES, SWAP_PAST_TRADES


def test_past_spot_trades_have_the_short_id() -> None:
    trades = parse_history("HUOBI", "/market/history/trade?symbol=btcusdt&size=2000", PAST_TRADES.encode(), 7)
    assert [(t.trade_id, t.symbol, t.price, t.size, t.side, t.exchange_ns) for t in trades] == [
        ("102523573488", "btcusdt", "49683.88", "0.0058", "sell", 1629793656939_000_000),
        ("102523573487", "btcusdt", "49683.87", "5.0E-4", "buy", 1629793656938_000_000),
        ("102523573486", "btcusdt", "49683.87", "0.01", "buy", 1629793656938_000_000),
    ]


def test_past_swap_trades_have_the_long_id() -> None:
    path = "/linear-swap-ex/market/history/trade?contract_code=BTC-USDT&size=2000"
    trades = parse_history("HUOBI_SWAP", path, SWAP_PAST_TRADES.encode(), 7)
    assert [(t.trade_id, t.symbol, t.size) for t in trades] == [
        ("1316022650820000", "BTC-USDT", "2"),
        ("1316022650820001", "BTC-USDT", "4"),
    ]


def test_the_path_is_that_of_the_market() -> None:
    spot = Driven(Huobi, ["trade"], ["btcusdt"]).adapter
    request = spot.backfill_request("btcusdt", EVENT_MARKET_TRADE, 1, 2)
    assert request is not None
    assert request.path == "/market/history/trade?symbol=btcusdt&size=2000"
    assert spot.backfill_request("btcusdt", EVENT_BBO, 1, 2) is None
    assert spot.backfill_request("ethusdt", EVENT_MARKET_TRADE, 1, 2) is None
    for symbol, market in (("BTC-USD", "swap-ex"), ("BTC-USDT", "linear-swap-ex")):
        request = Driven(HuobiSwap, ["trade"], [symbol]).adapter.backfill_request(symbol, EVENT_MARKET_TRADE, 1, 2)
        assert request is not None
        assert request.path == f"/{market}/market/history/trade?contract_code={symbol}&size=2000"


def test_a_refusal_is_no_page() -> None:
    refusal = b'{"ts":1698359289261,"status":"error","err-code":"invalid-parameter","err-msg":"invalid symbol"}'
    with pytest.raises(ValueError, match="invalid symbol"):
        parse_history("HUOBI", "/market/history/trade?symbol=x", refusal, 7)
    with pytest.raises(msgspec.DecodeError):
        parse_history("HUOBI", "/market/history/trade?symbol=x", b"[" * 100_000, 7)
