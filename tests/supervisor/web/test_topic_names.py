"""Symbol and channel of topics, as the exchanges spell them."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.web.topic_names import split_topic


@pytest.mark.parametrize(
    ("topic", "symbol", "channel"),
    [
        ("btcusdt@depth@100ms", "BTCUSDT", "depth@100ms"),
        ("books:BTC-USDT", "BTC-USDT", "books"),
        ("orderbook.200.BTCUSDT", "BTCUSDT", "orderbook 200"),
        ("kline.M.BTC-USDT", "BTC-USDT", "kline M"),
        ("tickers.BTC-USDT#mark_price", "BTC-USDT", "tickers mark_price"),
        ("book.BTC-PERPETUAL.none.10.100ms", "BTC-PERPETUAL", "book none 10 100ms"),
        ("chart.trades.BTC-USDT.1D", "BTC-USDT", "chart trades 1D"),
        ("v4_candles:BTC-USD/5MINS", "BTC-USD", "v4_candles 5MINS"),
        ("v4_markets#funding/BTC-USD", "BTC-USD", "v4_markets funding"),
        ("trade:BTC/USD", "BTC/USD", "trade"),
        ("trades:BTC", "BTC", "trades"),
        ("market.btcusdt.trade.detail", "btcusdt", "market trade detail"),
        ("live_trades_btcusd", "BTCUSD", "live_trades"),
        ("trades", "trades", ""),
        ("", "", ""),
    ],
)
def test_split(topic: str, symbol: str, channel: str) -> None:
    assert split_topic(topic) == (symbol, channel)
