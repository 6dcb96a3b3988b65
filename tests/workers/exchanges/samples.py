"""Frames written after the exchanges' documents, for each channel, and a few answers."""

from __future__ import annotations

from typing import Any

import msgspec

from foxtrot_workers.exchanges.binance import constants as binance
from foxtrot_workers.exchanges.okx import constants as okx
from foxtrot_workers.testing.conformance import AdapterSample, BackfillSample

MS = 1_672_515_782_136


def binance_frame(stream: str, data: Any) -> bytes:
    """A combined frame, written as the exchange writes it."""
    return b'{"stream":%b,"data":%b}' % (msgspec.json.encode(stream), msgspec.json.encode(data))


def binance_trade(**changes: Any) -> dict[str, Any]:
    trade = {"e": "trade", "E": MS + 1, "s": "BNBBTC", "t": 12345, "p": "0.0010", "q": "100", "T": MS}
    return {**trade, "m": True, "M": True, **changes}


def binance_agg_trade(**changes: Any) -> dict[str, Any]:
    trade = {"e": "aggTrade", "E": MS + 1, "s": "BNBBTC", "a": 5933014, "p": "0.0010", "q": "100", "f": 100}
    return {**trade, "l": 105, "T": MS, "m": False, "M": True, **changes}


def binance_quote(**changes: Any) -> dict[str, Any]:
    return {"u": 400900217, "s": "BNBBTC", "b": "25.3519", "B": "31.21", "a": "25.3652", "A": "40.66", **changes}


def binance_delta(first: int, last: int, bids: Any = (("0.0024", "10"),), asks: Any = ()) -> dict[str, Any]:
    return {"e": "depthUpdate", "E": MS, "s": "BNBBTC", "U": first, "u": last, "b": bids, "a": asks}


def binance_partial_book(last: int = 160, **changes: Any) -> dict[str, Any]:
    return {"lastUpdateId": last, "bids": [["0.0024", "10"]], "asks": [["0.0026", "100"]], **changes}


def binance_kline(interval: str = "1m", **changes: Any) -> dict[str, Any]:
    bar = {"t": MS - 2136, "T": MS + 57863, "s": "BNBBTC", "i": interval, "f": 100, "L": 200, "o": "0.0010"}
    bar |= {"c": "0.0020", "h": "0.0025", "l": "0.0015", "v": "1000", "n": 100, "x": False, "q": "1.0"}
    return {"e": "kline", "E": MS, "s": "BNBBTC", "k": {**bar, **changes}}


def binance_ticker(**changes: Any) -> dict[str, Any]:
    ticker = {"e": "24hrTicker", "E": MS, "s": "BNBBTC", "p": "0.0015", "P": "250.00", "w": "0.0018", "x": "0.0009"}
    ticker |= {"c": "0.0025", "Q": "10", "b": "0.0024", "B": "10", "a": "0.0026", "A": "100", "o": "0.0010"}
    ticker |= {"h": "0.0025", "l": "0.0010", "v": "10000", "q": "18", "O": 0, "C": MS, "F": 0, "L": 18150, "n": 18151}
    return {**ticker, **changes}


BINANCE_SAMPLES = [
    AdapterSample("trade", "BNBBTC", binance_frame("bnbbtc@trade", binance_trade())),
    AdapterSample("agg_trade", "BNBBTC", binance_frame("bnbbtc@aggTrade", binance_agg_trade())),
    AdapterSample("quote", "BNBBTC", binance_frame("bnbbtc@bookTicker", binance_quote())),
    AdapterSample("book", "BNBBTC", binance_frame("bnbbtc@depth@100ms", binance_delta(157, 160)), events=0),
    AdapterSample("book5", "BNBBTC", binance_frame("bnbbtc@depth5@100ms", binance_partial_book())),
    AdapterSample("book10", "BNBBTC", binance_frame("bnbbtc@depth10@100ms", binance_partial_book())),
    AdapterSample("book20", "BNBBTC", binance_frame("bnbbtc@depth20@100ms", binance_partial_book())),
    AdapterSample("ticker", "BNBBTC", binance_frame("bnbbtc@ticker", binance_ticker())),
    *(
        AdapterSample(f"bar_{interval}", "BNBBTC", binance_frame(f"bnbbtc@kline_{interval}", binance_kline(interval)))
        for interval in binance.INTERVALS
    ),
]


def binance_past_trade(number: int, **changes: Any) -> dict[str, Any]:
    """A row of ``historicalTrades``."""
    trade = {"id": number, "price": "4.00000100", "qty": "12.00000000", "quoteQty": "48.000012", "time": MS}
    return {**trade, "isBuyerMaker": True, "isBestMatch": True, **changes}


def binance_past_agg_trade(number: int, **changes: Any) -> dict[str, Any]:
    """A row of ``aggTrades``."""
    trade = {"a": number, "p": "0.01633102", "q": "4.70443515", "f": 27781, "l": 27782, "T": MS}
    return {**trade, "m": False, "M": True, **changes}


BINANCE_AGG_BACKFILL = BackfillSample(
    "agg_trade", "BNBBTC", 26129, 26131, msgspec.json.encode([binance_past_agg_trade(n) for n in range(26129, 26133)])
)
BINANCE_BACKFILLS = [
    BackfillSample(
        "trade", "BNBBTC", 28457, 28459, msgspec.json.encode([binance_past_trade(n) for n in range(28457, 28461)])
    ),
    BINANCE_AGG_BACKFILL,
]


def okx_frame(channel: str, instrument: str, rows: Any, **more: Any) -> bytes:
    """A pushed frame, written as the exchange writes it: argument, action, data."""
    return msgspec.json.encode({"arg": {"channel": channel, "instId": instrument}, **more, "data": rows})


def okx_trade(**changes: Any) -> dict[str, Any]:
    trade = {"instId": "BTC-USDT", "tradeId": "130639474", "px": "42219.9", "sz": "0.12060306", "side": "buy"}
    return {**trade, "ts": "1630048897897", "count": "1", **changes}


def okx_book(**changes: Any) -> dict[str, Any]:
    book = {"asks": [["8476.98", "415", "0", "13"], ["8477", "7", "0", "2"]], "bids": [["8476.97", "256", "0", "12"]]}
    return {**book, "ts": "1597026383085", "checksum": 0, "prevSeqId": -1, "seqId": 123456, **changes}


def okx_ticker(**changes: Any) -> dict[str, Any]:
    ticker = {"instType": "SPOT", "instId": "BTC-USDT", "last": "9999.99", "lastSz": "0.1", "askPx": "9999.99"}
    ticker |= {"askSz": "11", "bidPx": "8888.88", "bidSz": "5", "open24h": "9000", "high24h": "10000"}
    ticker |= {"low24h": "8888.88", "volCcy24h": "2222.5", "vol24h": "2222", "ts": "1597026383085"}
    return {**ticker, **changes}


OKX_CANDLE = ["1597026383085", "8533.02", "8553.74", "8527.17", "8548.26", "45247", "529.5", "5529.5", "1"]
OKX_FUNDING = {
    "instId": "BTC-USDT-SWAP",
    "fundingRate": "0.0001",
    "fundingTime": "1744590349506",
    "ts": "1744590349000",
}
OKX_MARK_PRICE = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "markPx": "42310.6", "ts": "1630049139746"}
OKX_OPEN_INTEREST = {"instId": "BTC-USDT-SWAP", "oi": "2216113.01", "oiCcy": "22161.13", "ts": "1743041250440"}

OKX_INDEX = {"instId": "BTC-USDT", "idxPx": "0.1", "high24h": "0.5", "low24h": "0.05", "open24h": "0.2"}
OKX_INDEX |= {"sodUtc0": "0.1", "sodUtc8": "0.1", "ts": "1597026383085"}


def okx_liquidation(instrument: str, *details: dict[str, Any]) -> dict[str, Any]:
    """A row of ``liquidation-orders``."""
    detail = {"bkLoss": "0", "bkPx": "0.007831", "ccy": "", "posSide": "short", "side": "buy", "sz": "13"}
    rows = [{**detail, "ts": "1692266434010", **changes} for changes in details or ({},)]
    return {"details": rows, "instFamily": "BTC-USDT", "instId": instrument, "instType": "SWAP", "uly": "BTC-USDT"}


def okx_liquidations(*rows: dict[str, Any], kind: str = "SWAP") -> bytes:
    """A frame of ``liquidation-orders``."""
    return msgspec.json.encode({"arg": {"channel": "liquidation-orders", "instType": kind}, "data": rows})


OKX_SAMPLES = [
    AdapterSample("trade_all", "BTC-USDT", okx_frame("trades-all", "BTC-USDT", [okx_trade()])),
    AdapterSample("book_elp", "BTC-USDT", okx_frame("books-elp", "BTC-USDT", [okx_book()], action="snapshot")),
    AdapterSample("index", "BTC-USDT", okx_frame("index-tickers", "BTC-USDT", [OKX_INDEX])),
    AdapterSample("liquidation", "BTC-USDT-SWAP", okx_liquidations(okx_liquidation("BTC-USDT-SWAP"))),
    AdapterSample(
        "trade", "BTC-USDT", okx_frame("trades", "BTC-USDT", [okx_trade(), okx_trade(side="sell")]), events=2
    ),
    AdapterSample("quote", "BTC-USDT", okx_frame("bbo-tbt", "BTC-USDT", [okx_book()])),
    AdapterSample("book", "BTC-USDT", okx_frame("books", "BTC-USDT", [okx_book()], action="snapshot")),
    AdapterSample("book5", "BTC-USDT", okx_frame("books5", "BTC-USDT", [okx_book()])),
    AdapterSample(
        "book50_l2_tbt", "BTC-USDT", okx_frame("books50-l2-tbt", "BTC-USDT", [okx_book()], action="snapshot")
    ),
    AdapterSample("book_l2_tbt", "BTC-USDT", okx_frame("books-l2-tbt", "BTC-USDT", [okx_book()], action="snapshot")),
    AdapterSample("ticker", "BTC-USDT", okx_frame("tickers", "BTC-USDT", [okx_ticker()])),
    AdapterSample("funding", "BTC-USDT-SWAP", okx_frame("funding-rate", "BTC-USDT-SWAP", [OKX_FUNDING])),
    AdapterSample("mark_price", "BTC-USDT-SWAP", okx_frame("mark-price", "BTC-USDT-SWAP", [OKX_MARK_PRICE])),
    AdapterSample("open_interest", "BTC-USDT-SWAP", okx_frame("open-interest", "BTC-USDT-SWAP", [OKX_OPEN_INTEREST])),
    *(
        AdapterSample(f"bar_{interval}", "BTC-USDT", okx_frame(f"candle{interval}", "BTC-USDT", [OKX_CANDLE]))
        for interval in okx.INTERVALS
    ),
]


def okx_past_trade(number: int, **changes: Any) -> dict[str, Any]:
    """A row of ``history-trades``."""
    trade = {"instId": "BTC-USDT", "side": "sell", "sz": "0.00001", "px": "29963.2", "source": "0"}
    return {**trade, "tradeId": str(number), "ts": "1654161646974", **changes}


def okx_answer(rows: Any, **changes: Any) -> bytes:
    """An answer of the REST API."""
    return msgspec.json.encode({"code": "0", "msg": "", "data": rows, **changes})


OKX_BACKFILLS = [
    BackfillSample(
        channel,
        "BTC-USDT",
        242720712,
        242720719,
        okx_answer([okx_past_trade(n) for n in range(242720719, 242720700, -2)]),
    )
    for channel in ("trade", "trade_all")
]
