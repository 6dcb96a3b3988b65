from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import (
    EVENT_BOOK,
    EVENT_MARKET_TRADE,
    BookDelta,
    BookSnapshot,
    Funding,
    Gap,
    Liquidation,
    MarketEvent,
    MarkPrice,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.adapter import BookLost, RestRequest, UnrecognizedFrame
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.variants import BinanceCoinm, BinanceUs, BinanceUsdm, Sim
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.binance.futures_samples import (
    BACKFILLS,
    COINM_FRAMES,
    COINM_SNAPSHOT,
    FORCE_ORDER,
    MARK_PRICE,
    SAMPLES,
    combined_frame,
    raw_frame,
)
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.samples import (
    binance_frame,
    binance_trade,
)


@pytest.mark.parametrize(("adapter_class", "exchange"), [(BinanceUs, "BINANCE_US"), (Sim, "SIM")])
def test_variants_differ_in_name_only(adapter_class: type[Binance], exchange: str) -> None:
    adapter = adapter_class()
    adapter.subscribe(adapter.topics(["trade"], ["BNBBTC"]))
    out: list[MarketEvent[str]] = []
    adapter.parse(binance_frame("bnbbtc@trade", binance_trade()), 7, out)
    assert [event.exchange for event in out] == [exchange]


def test_binance_us_backfills_aggregate_trades_only() -> None:
    for channel, offered in (("trade", False), ("agg_trade", True)):
        adapter = BinanceUs()
        adapter.subscribe(adapter.topics([channel], ["BNBBTC"]))
        assert (adapter.backfill_request("BNBBTC", EVENT_MARKET_TRADE, 1, 2) is not None) is offered


FUTURES = [BinanceUsdm, BinanceCoinm]
SINGLE_FRAMES = Path(__file__).resolve().parents[5] / "shared/data/binance_usdm/single-frames.jsonl.gz"
DEPTH_PATH = "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"


@pytest.mark.parametrize("adapter_class", FUTURES)
def test_futures_conform(adapter_class: type[Binance]) -> None:
    check_adapter(adapter_class, SAMPLES, backfills=BACKFILLS)


@pytest.mark.parametrize(
    ("channels", "base", "address"),
    [
        (["book", "quote", "trade"], BinanceUsdm.url, "wss://fstream.binance.com/public/stream"),
        (["agg_trade", "funding", "bar_1m"], BinanceUsdm.url, "wss://fstream.binance.com/market/stream"),
        (["ticker"], "wss://fstream.binance.com/public", "wss://fstream.binance.com/market/stream"),
        (["ticker"], "ws://127.0.0.1:9001/", "ws://127.0.0.1:9001/market/stream"),
        (["ticker"], "wss://fstream.binancefuture.com/stream", "wss://fstream.binancefuture.com/stream"),
        (["ticker"], "wss://fstream.binancefuture.com/ws", "wss://fstream.binancefuture.com/ws"),
    ],
)
def test_the_address_of_usdm_futures_depends_on_the_channels(channels: list[str], base: str, address: str) -> None:
    adapter = BinanceUsdm()
    adapter.topics(channels, ["BTCUSDT"])
    assert adapter.address(base) == address


def test_usdm_channels_of_two_addresses_need_two_connections() -> None:
    with pytest.raises(ValueError, match="book are served at another address"):
        BinanceUsdm().topics(["book", "agg_trade"], ["BTCUSDT"])
    assert len(BinanceCoinm().topics(["book", "agg_trade"], ["BTCUSD_PERP"])) == 2
    assert BinanceCoinm().address(BinanceCoinm.url) == "wss://dstream.binance.com/stream"


def usdm(*channels: str, adopt: bool = False) -> Driven[BinanceUsdm]:
    return Driven(BinanceUsdm, channels, ["BTCUSDT"], adopt=adopt)


def test_mark_price_and_funding_are_streams_of_two_paces() -> None:
    assert [topic.wire for topic in usdm("mark_price", "funding").topics] == [
        "btcusdt@markPrice@1s",
        "btcusdt@markPrice",
    ]
    time_ns = 1562305380000_000_000
    price = MarkPrice("BINANCE_USDM", "BTCUSDT", time_ns, RECEIVE_NS, "11794.15000000")
    funding = Funding("BINANCE_USDM", "BTCUSDT", time_ns, RECEIVE_NS, "0.00038167", 1562306400000_000_000)
    assert usdm("mark_price").parse(combined_frame("mark_price")) == [price]
    assert usdm("funding").parse(combined_frame("funding")) == [funding]
    assert usdm(adopt=True).parse(MARK_PRICE) == [price, funding]


def test_a_contract_with_delivery_has_no_funding() -> None:
    frame = combined_frame("funding").replace(b'"0.00038167","T":1562306400000', b'"","T":0')
    wire = usdm("funding")
    assert wire.parse(frame) == []
    assert wire.adapter.last_data_ns == {"btcusdt@markPrice": RECEIVE_NS}


@pytest.mark.parametrize(("average", "price"), [("9910.5", "9910.5"), ("0", "9910"), ("0.000", "9910")])
def test_a_liquidation_has_the_price_of_its_fills(average: str, price: str) -> None:
    frame = combined_frame("liquidation").replace(b'"9910.5"', f'"{average}"'.encode())
    time_ns = 1568014460893_000_000
    assert usdm("liquidation").parse(frame) == [
        Liquidation("BINANCE_USDM", "BTCUSDT", time_ns, RECEIVE_NS, "sell", price, "0.014")
    ]


@pytest.mark.parametrize("kind", ["INSURANCE_FUND", "ADL", "NA", "NEW_KIND"])
def test_trades_outside_the_order_book_are_left_out(kind: str) -> None:
    wire = usdm("trade")
    assert wire.parse(combined_frame("trade").replace(b"MARKET", kind.encode())) == []
    assert wire.adapter.last_data_ns == {"btcusdt@trade": RECEIVE_NS}
    assert len(wire.parse(combined_frame("trade"))) == 1
    assert wire.adapter.identity_rules(["trade"])[EVENT_MARKET_TRADE] == "increasing"
    assert wire.adapter.identity_rules(["agg_trade"])[EVENT_MARKET_TRADE] == "sequence"


def test_a_quote_of_futures_has_a_time() -> None:
    (quote,) = usdm("quote").parse(combined_frame("quote"))
    assert isinstance(quote, Quote)
    assert (quote.exchange_ns, quote.update_id) == (1568014460893_000_000, "400900217")


def test_volumes_of_coin_margined_futures_are_no_turnover() -> None:
    (usdm_ticker,) = usdm("ticker").parse(combined_frame("ticker"))
    (coinm_ticker,) = Driven(BinanceCoinm, ["ticker"], ["BTCUSDT"]).parse(combined_frame("ticker"))
    assert isinstance(usdm_ticker, Ticker)
    assert isinstance(coinm_ticker, Ticker)
    assert (usdm_ticker.turnover, coinm_ticker.turnover) == ("2036102085.69746400", None)
    assert usdm_ticker.volume == coinm_ticker.volume == "122474.816"


def depth(first: int, last: int, previous: int, channel: str = "book") -> bytes:
    frame = combined_frame(channel).replace(b'"U":157', b'"U":%d' % first).replace(b'"u":160', b'"u":%d' % last)
    return frame.replace(b'"pu":149', b'"pu":%d' % previous)


def test_an_update_of_a_book_names_the_one_before() -> None:
    wire = usdm("book")
    assert wire.adapter.identity_rules(["book"])[EVENT_BOOK] == "chained"
    assert wire.parse(depth(157, 160, 149)) == []
    assert wire.take_notices() == [RestRequest("depth BTCUSDT", DEPTH_PATH, 20)]
    answer = {"lastUpdateId": 158, "E": 1, "T": 2, "bids": [["0.0020", "1"]], "asks": [["0.0030", "1"]]}
    snapshot, delta = wire.answer(DEPTH_PATH, answer)
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.exchange_ns, snapshot.last_id) == (1_000_000, "158")
    assert isinstance(delta, BookDelta)
    assert (delta.first_id, delta.last_id) == ("149", "160")
    assert len(wire.parse(depth(170, 180, 160))) == 1
    (gap,) = wire.parse(depth(190, 200, 185))
    assert isinstance(gap, Gap)
    assert [type(notice) for notice in wire.take_notices()] == [BookLost, RestRequest]


@pytest.mark.parametrize("channel", ["book5", "book10", "book20"])
def test_a_frame_of_partial_depth_has_the_form_of_an_update(channel: str) -> None:
    (event,) = usdm(channel).parse(combined_frame(channel))
    assert isinstance(event, BookSnapshot)
    assert (event.last_id, event.bids, event.asks) == ("160", [("0.0024", "10")], [("0.0026", "100")])


def test_frames_of_coin_margined_futures() -> None:
    wire = Driven(BinanceCoinm, ["quote", "book", "agg_trade"], ["bchusd_perp"])
    path = "/dapi/v1/depth?symbol=BCHUSD_PERP&limit=1000"
    events = [event for frame in COINM_FRAMES for event in wire.parse(frame)]
    assert [type(event) for event in events] == [Quote, Trade]
    assert wire.take_notices() == [RestRequest("depth BCHUSD_PERP", path, 20)]
    assert [type(event) for event in wire.answer(path, COINM_SNAPSHOT.encode())] == [BookSnapshot, BookDelta]


@pytest.mark.parametrize("channel", sorted({sample.channel for sample in SAMPLES} - {"book5", "book10", "book20"}))
def test_raw_frames_name_their_stream_by_event_and_symbol(channel: str) -> None:
    wire = usdm(channel)
    assert wire.parse(raw_frame(channel)) == wire.parse(combined_frame(channel))
    assert wire.adapter.last_data_ns or wire.adapter.held_ns


@pytest.mark.parametrize("frame", [FORCE_ORDER.replace("BTCUSDT", ""), '{"e":"forceOrder"}', '{"e":"markPriceUpdate"}'])
def test_a_raw_frame_without_a_symbol_is_refused(frame: str) -> None:
    with pytest.raises(Exception, match="unrecognized"):
        usdm(adopt=True).parse(frame)


@pytest.mark.parametrize(
    ("adapter_class", "symbol", "instrument"),
    [
        (BinanceUsdm, "BTCUSDT", "BTC-USDT-PERP"),
        (BinanceUsdm, "BTCUSDC", "BTC-USDC-PERP"),
        (BinanceUsdm, "BTCUSDT_240329", "BTC-USDT-24H29"),
        (BinanceCoinm, "BTCUSD_PERP", "BTC-USD-PERP"),
        (BinanceCoinm, "BTCUSD_210924", "BTC-USD-21U24"),
        (BinanceCoinm, "BTCUSD_211399", "BTC-USD-PERP"),
        (BinanceUsdm, "", "-PERP"),
    ],
)
def test_the_name_of_a_contract_says_when_it_ends(adapter_class: type[Binance], symbol: str, instrument: str) -> None:
    assert adapter_class().instrument(symbol) == instrument


def test_the_instrument_list_of_futures_is_whole() -> None:
    assert BinanceUsdm().instruments_path(["BTCUSDT"]) == "/fapi/v1/exchangeInfo"
    rows: list[dict[str, Any]] = [{"symbol": "BTCUSD_210924", "baseAsset": "BTC", "quoteAsset": "USD"}]
    assert BinanceCoinm().instruments(msgspec.json.encode({"symbols": rows})) == {"BTCUSD_210924": "BTC-USD-21U24"}


def test_rest_requests_of_futures_have_their_own_paths() -> None:
    wire = usdm("agg_trade")
    request = wire.adapter.backfill_request("BTCUSDT", EVENT_MARKET_TRADE, 5, 9)
    assert request == RestRequest("trades BTCUSDT", "/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=5&limit=6", 20)
    assert wire.adapter.liveness_request(wire.topics[0]) == RestRequest(
        "liveness", "/fapi/v1/aggTrades?symbol=BTCUSDT&limit=1", 20
    )
    assert usdm("trade").adapter.backfill_request("BTCUSDT", EVENT_MARKET_TRADE, 5, 9) is None


@pytest.mark.skipif(not SINGLE_FRAMES.is_file(), reason="recorded frames are not at hand")
def test_single_frames_become_the_events_of_their_documentation() -> None:
    with gzip.open(SINGLE_FRAMES, "rt", encoding="utf-8") as lines:
        frames = [json.loads(line) for line in lines]
    kinds = {}
    for frame in frames:
        wire = usdm(adopt=True)
        events = wire.parse(frame["raw"])
        kinds[frame["src"].rpartition("/")[2]] = [type(event).__name__ for event in events]
        assert wire.adapter.last_data_ns or wire.adapter.held_ns
    assert kinds == {
        "agg_trade_stream.json": ["Trade"],
        "book_ticker_stream.json": ["Quote"],
        "depth_update_stream.json": [],  # held until a snapshot comes
        "kline_stream_closed.json": ["Bar"],
        "kline_stream_open.json": ["Bar"],
        "liquidation_stream.json": ["Liquidation"],
        "mark_price_stream.json": ["MarkPrice", "Funding"],
        "ticker_stream.json": ["Ticker"],
        "trade_stream.json": ["Trade"],
    }


def test_recordings_may_have_streams_of_all_symbols() -> None:
    wire = usdm(adopt=True)
    mark_prices = f'{{"stream":"!markPrice@arr@1s","data":[{MARK_PRICE},{MARK_PRICE.replace("BTCUSDT", "ETHUSDT")}]}}'
    assert [(type(event), event.symbol) for event in wire.parse(mark_prices)] == [
        (MarkPrice, "BTCUSDT"),
        (Funding, "BTCUSDT"),
        (MarkPrice, "ETHUSDT"),
        (Funding, "ETHUSDT"),
    ]
    liquidation = f'{{"stream":"!forceOrder@arr","data":{FORCE_ORDER}}}'
    assert [type(event) for event in wire.parse(liquidation)] == [Liquidation]
    damaged = mark_prices.replace("ETHUSDT", "")
    out: list[MarketEvent[str]] = []
    with pytest.raises(UnrecognizedFrame):
        wire.adapter.parse(damaged.encode(), 7, out)
    assert out == []
    with pytest.raises(UnrecognizedFrame):
        usdm("liquidation").parse(liquidation)
