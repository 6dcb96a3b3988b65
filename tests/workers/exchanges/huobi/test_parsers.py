from __future__ import annotations

import gzip

import msgspec
import pytest

from foxtrot_protocol.events import Bar, BookSnapshot, Quote, Ticker, Trade
from foxtrot_workers.exchanges.huobi.adapter import Huobi
from foxtrot_workers.exchanges.huobi.constants import SPOT_CHANNELS, SWAP_CHANNELS
from foxtrot_workers.exchanges.huobi.parsers import SPOT_PARSERS, SWAP_PARSERS, symbol_of
from foxtrot_workers.exchanges.huobi.variants import HuobiSwap
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.huobi.samples import KLINE, MBP, QUOTE, STEP0, TICKER, TRADE


def test_each_channel_has_a_parser() -> None:
    assert set(SPOT_CHANNELS.values()) <= set(SPOT_PARSERS)
    assert set(SWAP_CHANNELS.values()) <= set(SWAP_PARSERS)


@pytest.mark.parametrize("wire", ["", "market", "market.btcusdt", "other.btcusdt.bbo", "market..bbo", "market.b c.bbo"])
def test_what_names_no_topic_has_no_symbol(wire: str) -> None:
    assert symbol_of(wire) == ("", "")


def test_a_trade_keeps_its_digits_and_has_the_short_id() -> None:
    time_ns = 1618678027940_000_000
    trade = Trade("HUOBI", "trioeth", time_ns, RECEIVE_NS, "9.2E-7", "20995.88", "buy", "100045088885")
    assert Driven(Huobi, ["trade"], ["trioeth"]).parse(gzip.compress(TRADE.encode())) == [trade]


def test_trades_of_a_frame_come_oldest_first() -> None:
    row = '{"id":%d,"ts":1,"tradeId":%d,"amount":1,"price":2,"direction":"sell"}'
    frame = '{"ch":"market.zeneth.trade.detail","ts":2,"tick":{"data":[%s]}}'
    wire = Driven(Huobi, ["trade"], ["zeneth"])
    trades = wire.parse(frame % ",".join(row % (n, n) for n in (3, 2, 1)))
    assert [trade.trade_id for trade in trades if isinstance(trade, Trade)] == ["1", "2", "3"]
    older = frame % '{"id":100182534526255757567432481,"ts":1,"amount":1,"price":2,"direction":"sell"}'
    assert [trade.trade_id for trade in wire.parse(older) if isinstance(trade, Trade)] == [
        "100182534526255757567432481"
    ]


def test_a_full_picture_is_a_snapshot() -> None:
    book = BookSnapshot(
        "HUOBI",
        "trioeth",
        1618678069870_000_000,
        RECEIVE_NS,
        [("9.121E-7", "92730.24")],
        [("9.28E-7", "4342.25")],
        None,
        "100182534697",
        None,
    )
    assert Driven(Huobi, ["book150_step0"], ["trioeth"]).parse(STEP0) == [book]
    [refreshed] = Driven(Huobi, ["book20"], ["btcusdt"]).parse(MBP.replace("mbp.150", "mbp.refresh.20"))
    assert isinstance(refreshed, BookSnapshot)
    assert refreshed.asks == [("645.140000000000000000", "26.755973959140651643")]


def test_an_increment_without_predecessor_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="prevSeqNum"):
        Driven(Huobi, ["book"], ["btcusdt"]).parse(MBP.replace("prevSeqNum", "other"))


def test_an_update_of_a_chained_book_without_its_version_is_refused() -> None:
    wire = Driven(HuobiSwap, ["book"], ["BTC-USDT"])
    tick = {"event": "update", "bids": [], "asks": []}
    with pytest.raises(msgspec.ValidationError, match="without `version`"):
        wire.parse({"ch": wire.topics[0].wire, "ts": 1, "tick": tick})


def test_a_quote_may_have_an_empty_side() -> None:
    wire = Driven(Huobi, ["quote"], ["btcusdt"])
    time_ns = 1575158404058_000_000
    quote = Quote("HUOBI", "btcusdt", time_ns, RECEIVE_NS, "7541.16", "0.002329", "7543.59", "2.323241", "103273695595")
    assert wire.parse(QUOTE) == [quote]
    for empty in (QUOTE.replace("7541.16", "null"), QUOTE.replace("7541.16", "0.0"), QUOTE.replace('"bid"', '"other"')):
        assert wire.parse(empty) == [msgspec.structs.replace(quote, bid=None, bid_size=None)]


def test_a_bar_counts_base_units() -> None:
    bar = Bar(
        "HUOBI",
        "btcusdt",
        1489474082831_000_000,
        RECEIVE_NS,
        "1m",
        1489464480_000_000_000,
        "7962.62",
        "14962.77",
        "5110.14",
        "8014.56",
        "1821.49",
        False,
    )
    assert Driven(Huobi, ["bar_1m"], ["btcusdt"]).parse(KLINE) == [bar]


def test_a_ticker_has_the_best_prices() -> None:
    [ticker] = Driven(Huobi, ["ticker"], ["btcusdt"]).parse(TICKER)
    assert isinstance(ticker, Ticker)
    assert (ticker.last, ticker.volume, ticker.turnover) == ("52735.63", "13259.24137056181", "687640987.4125315")
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == ("52732.88", "0.036", "52732.89", "0.583653")
