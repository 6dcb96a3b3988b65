from __future__ import annotations

import pytest

from foxtrot_protocol.events import Bar, Funding, MarkPrice, OpenInterest, Ticker, Trade
from foxtrot_workers.exchanges.crypto_com.adapter import CryptoCom
from tests.workers.exchanges.connection import replaying
from tests.workers.exchanges.crypto_com.samples import (
    FIGURE,
    MS,
    NS,
    PERPETUAL,
    SPOT,
    candle,
    connection,
    frame,
    old_frame,
    ticker,
    trade,
)


def test_trades_are_published_oldest_first() -> None:
    wire = connection("trade")
    rows = [trade(), trade(d="4611686018439397539", s="SELL", t=MS - 1)]
    first, second = wire.parse(frame(f"trade.{PERPETUAL}", *rows))
    assert first == Trade(
        "CRYPTO_COM", PERPETUAL, NS - 1_000_000, 7, "31603.5", "0.1000", "sell", "4611686018439397539"
    )
    assert second == Trade("CRYPTO_COM", PERPETUAL, NS, 7, "31603.5", "0.1000", "buy", "4611686018439397540")
    assert wire.adapter.last_data_ns == {f"trade.{PERPETUAL}": 7}


def test_trades_of_api_v2() -> None:
    row = '{"dataTime":1637630445449,"d":2006341810221954784,"s":"BUY","p":56504.250,"q":0.003802,"t":%d,"i":"X"}'
    (event,) = replaying(CryptoCom).parse(old_frame(f"trade.{SPOT}", row % MS))
    assert event == Trade("CRYPTO_COM", SPOT, NS, 7, "56504.250", "0.003802", "buy", "2006341810221954784")
    assert replaying(CryptoCom).parse(old_frame(f"trade.{SPOT}")) == []


def test_a_ticker() -> None:
    (event,) = connection("ticker").parse(frame(f"ticker.{PERPETUAL}", ticker()))
    assert event == Ticker(
        *("CRYPTO_COM", PERPETUAL, NS, 7, "31611.0", None, "32222.5", "30240.0", "13206.4884", "433945264.39"),
        *("31613.0", "0.1000", "31613.5", "0.2000"),
    )


@pytest.mark.parametrize("missing", [None, "0", "0.00"])
def test_a_ticker_of_a_market_without_bids_and_trades(missing: str | None) -> None:
    (event,) = connection("ticker").parse(frame(f"ticker.{PERPETUAL}", ticker(b=missing, bs=missing, a=None)))
    assert isinstance(event, Ticker)
    assert (event.bid, event.ask, event.last) == (None, "31613.5", None)


def test_a_ticker_of_api_v2_has_no_sizes() -> None:
    row = '{"i":"X","b":57689.90,"k":57690.90,"a":57690.90,"t":%d,"v":46427.1,"h":57985.00,"l":55313.95,"c":1311.15}'
    (event,) = replaying(CryptoCom).parse(old_frame(f"ticker.{SPOT}", row % MS))
    assert isinstance(event, Ticker)
    assert (event.bid, event.bid_size, event.ask, event.ask_size) == ("57689.90", None, "57690.90", None)


def test_open_interest_is_of_derivatives_only() -> None:
    wire = connection("open_interest")
    (event,) = wire.parse(frame(f"ticker.{PERPETUAL}", ticker()))
    assert event == OpenInterest("CRYPTO_COM", PERPETUAL, NS, 7, "318.5162")
    assert wire.adapter.last_data_ns == {f"ticker.{PERPETUAL}#open_interest": 7}
    assert wire.parse(frame(f"ticker.{PERPETUAL}", ticker(oi=None)), 8) == []
    assert wire.adapter.last_data_ns == {f"ticker.{PERPETUAL}#open_interest": 7}


def test_mark_price_funding_and_index() -> None:
    (mark,) = connection("mark_price").parse(frame(f"mark.{PERPETUAL}", FIGURE))
    assert mark == MarkPrice("CRYPTO_COM", PERPETUAL, NS, 7, "31606.3")
    (funding,) = connection("funding").parse(frame(f"funding.{PERPETUAL}", {"v": "0.00000700", "t": MS}))
    assert funding == Funding("CRYPTO_COM", PERPETUAL, NS, 7, "0.00000700", 0)
    (index,) = connection("index", symbols=["BTCUSD-INDEX"]).parse(frame("index.BTCUSD-INDEX", FIGURE))
    assert isinstance(index, Ticker)
    assert (index.last, index.bid) == ("31606.3", None)


class TestBars:
    def test_a_running_bar(self) -> None:
        (bar,) = connection("bar_1h", symbols=[SPOT]).parse(frame(f"candlestick.1h.{SPOT}", candle(ut=MS + 1)))
        assert bar == Bar(
            *("CRYPTO_COM", SPOT, NS + 1_000_000, 7, "1h", NS, "65502.68", "66336.25", "55313.95", "57582.1"),
            *("366802.492134", False),
        )

    @pytest.mark.parametrize("starts", [(1, 2, 3), (3, 2, 1)])
    def test_bars_before_a_later_one_are_closed(self, starts: tuple[int, ...]) -> None:
        rows = [candle(start) for start in starts]
        bars = replaying(CryptoCom).parse(frame(f"candlestick.14D.{SPOT}", *rows))
        assert [(bar.start_ns, bar.closed) for bar in bars if isinstance(bar, Bar)] == [
            (1_000_000, True),
            (2_000_000, True),
            (3_000_000, False),
        ]

    def test_bars_of_api_v2(self) -> None:
        row = '{"t":1636934400000,"o":65502.68,"h":66336.25,"l":55313.95,"c":57582.1,"v":366802.492134}'
        (bar,) = replaying(CryptoCom).parse(old_frame(f"candlestick.14D.{SPOT}", row))
        assert isinstance(bar, Bar)
        assert (bar.exchange_ns, bar.interval, bar.close) == (0, "14D", "57582.1")
