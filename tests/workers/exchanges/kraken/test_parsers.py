from __future__ import annotations

import pytest

from foxtrot_protocol.events import Bar, Quote, Ticker, Trade
from foxtrot_workers.adapter import UnrecognizedFrame
from tests.workers.exchanges.kraken.samples import PAIR, TIME_NS, bar_row, connection, frame, ticker_row, trade_row

MINUTE_NS = 60_000_000_000
BEGIN_NS = 1_696_436_700_000_000_000


def test_a_trade() -> None:
    wire = connection("trade")
    (trade,) = wire.parse(frame("trade", "update", trade_row(side="sell")))
    assert trade == Trade("KRAKEN", PAIR, TIME_NS, 7, "105944.20", "0.00027625", "sell", "10218208")
    assert wire.adapter.last_data_ns == {"trade:BTC/USD": 7}


def test_a_ticker() -> None:
    (ticker,) = connection("ticker").parse(frame("ticker", "snapshot", ticker_row()))
    assert ticker == Ticker(
        *("KRAKEN", PAIR, TIME_NS, 7, "105899.40", None, "106613.1", "104711.0", "163.28908096", None),
        *("105944.20", "2.50000000", "105944.3", "3.2"),
    )


def test_a_ticker_without_time_as_it_was_before_2025() -> None:
    (ticker,) = connection("ticker").parse(frame("ticker", "update", ticker_row(timestamp="")))
    assert ticker.exchange_ns == 0


@pytest.mark.parametrize(("bid", "size"), [("0.0", "0.00000000"), ("", ""), ("null", "null"), ("0", "0")])
def test_an_empty_side_of_a_quote(bid: str, size: str) -> None:
    (quote,) = connection("quote").parse(frame("ticker", "update", ticker_row(bid=bid, bid_qty=size)))
    assert quote == Quote("KRAKEN", PAIR, TIME_NS, 7, None, None, "105944.3", "3.2", "")
    (ticker,) = connection("ticker").parse(frame("ticker", "update", ticker_row(bid=bid, bid_qty=size)))
    assert isinstance(ticker, Ticker)
    assert ticker.bid is None


def test_quotes_and_tickers_of_one_connection_are_told_apart_by_symbol() -> None:
    wire = connection("quote")
    (quote,) = wire.parse(frame("ticker", "update", ticker_row()))
    assert isinstance(quote, Quote)
    other = wire.adapter.topics(["ticker"], ["ETH/USD"])
    wire.adapter.subscribe(other)
    rows = ticker_row(), ticker_row().replace(PAIR, "ETH/USD")
    quote, ticker = wire.parse(frame("ticker", "update", *rows))
    assert isinstance(quote, Quote)
    assert isinstance(ticker, Ticker)
    assert ticker.last == "105899.40"


def test_trades_of_one_frame_stay_in_order() -> None:
    rows = trade_row(1), trade_row(2, "sell"), trade_row(3)
    trades = connection("trade").parse(frame("trade", "update", *rows))
    assert [trade.trade_id for trade in trades if isinstance(trade, Trade)] == ["1", "2", "3"]


class TestBars:
    def test_a_running_bar(self) -> None:
        wire = connection("bar_1m")
        (bar,) = wire.parse(frame("ohlc", "update", bar_row()))
        assert bar == Bar(
            *("KRAKEN", PAIR, 0, 7, "1m", BEGIN_NS, "106038.2", "106044.30", "106038.1", "106040.1"),
            *("30927.68066226", False),
        )
        assert wire.adapter.last_data_ns == {"ohlc-1:BTC/USD": 7}

    def test_a_bar_is_closed_once_the_next_one_begins(self) -> None:
        wire = connection("bar_1m")
        wire.parse(frame("ohlc", "update", bar_row(close="1")))
        wire.parse(frame("ohlc", "update", bar_row(close="2")), 8)
        closed, running = wire.parse(frame("ohlc", "update", bar_row(begin="2023-10-04T16:26:00Z", close="3")), 9)
        assert isinstance(closed, Bar)
        assert isinstance(running, Bar)
        assert (closed.start_ns, closed.close, closed.closed, closed.receive_ns) == (BEGIN_NS, "2", True, 9)
        assert (running.start_ns, running.close, running.closed) == (BEGIN_NS + MINUTE_NS, "3", False)
        assert wire.parse(frame("ohlc", "update", bar_row(close="4"))) == [], "it does not run again"

    def test_a_snapshot_has_closed_bars_before_the_running_one(self) -> None:
        rows = [bar_row(begin=f"2023-10-04T16:{minute}:00Z") for minute in (23, 24, 25)]
        bars = connection("bar_1m").parse(frame("ohlc", "snapshot", *rows))
        assert [(bar.start_ns, bar.closed) for bar in bars if isinstance(bar, Bar)] == [
            (BEGIN_NS - 2 * MINUTE_NS, False),
            (BEGIN_NS - 2 * MINUTE_NS, True),
            (BEGIN_NS - MINUTE_NS, False),
            (BEGIN_NS - MINUTE_NS, True),
            (BEGIN_NS, False),
        ]

    def test_intervals_of_one_symbol_run_apart(self) -> None:
        wire = connection("bar_1m", "bar_5m")
        wire.parse(frame("ohlc", "update", bar_row()))
        (bar,) = wire.parse(frame("ohlc", "update", bar_row(5, begin="2023-10-04T16:30:00Z")))
        assert isinstance(bar, Bar)
        assert bar.interval == "5m"

    @pytest.mark.parametrize("minutes", [2, 5])
    def test_an_interval_that_was_not_subscribed(self, minutes: int) -> None:
        with pytest.raises(UnrecognizedFrame):
            connection("bar_1m").parse(frame("ohlc", "update", bar_row(minutes)))
