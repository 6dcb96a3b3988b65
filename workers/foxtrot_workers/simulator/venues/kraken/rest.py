"""REST answers of Kraken from the simulated market. Pure.

REST has names of its own: ``XBT`` for Bitcoin, and an X or Z before the currencies of the oldest pairs. Errors are
answers with status 200 and a list of texts, as at the real exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from foxtrot_workers.simulator.market.instruments import Instrument
from foxtrot_workers.simulator.market.market import Market, SymbolState, TradeRecord
from foxtrot_workers.simulator.venues.answer import Answer
from foxtrot_workers.simulator.venues.kraken.messages import price_of, size_of
from foxtrot_workers.simulator.venues.times import iso_text

__all__ = ["answer"]

_TRADES_MAX = 1_000
_BOOK_MAX = 500
_OLD_NAMES = {"XBT": "XXBT", "ETH": "XETH", "LTC": "XLTC", "XRP": "XXRP", "USD": "ZUSD", "EUR": "ZEUR", "GBP": "ZGBP"}
_NS_FROM = 10**12
"""Times from this number on are in nanoseconds, lower ones in seconds."""


class _Refused(Exception):
    """The request is answered with this error."""


def answer(market: Market, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
    """Return the answer to ``GET path?query``; never raises."""
    makers: dict[str, Callable[[Market, Mapping[str, str], int], str]] = {
        "/0/public/Time": _time,
        "/0/public/AssetPairs": _pairs,
        "/0/public/Trades": _trades,
        "/0/public/Depth": _depth,
        "/0/public/Ticker": _ticker,
    }
    make = makers.get(path)
    try:
        if make is None:
            raise _Refused("EGeneral:Unknown method")
        return Answer(200, f'{{"error":[],"result":{make(market, query, now_ms)}}}'.encode())
    except _Refused as refused:
        return Answer(200, msgspec.json.encode({"error": [str(refused)]}))


def _time(market: Market, query: Mapping[str, str], now_ms: int) -> str:
    return f'{{"unixtime":{now_ms // 1000},"rfc1123":"{iso_text(now_ms)}"}}'


def _short(currency: str) -> str:
    return {"BTC": "XBT", "DOGE": "XDG"}.get(currency, currency)


def _rest_name(instrument: Instrument) -> str:
    """``XXBTZUSD`` for the oldest pairs, else ``SOLUSD``."""
    base, quote = _short(instrument.base), _short(instrument.quote)
    if base in _OLD_NAMES and quote in _OLD_NAMES:
        return _OLD_NAMES[base] + _OLD_NAMES[quote]
    return base + quote


def _states(market: Market, query: Mapping[str, str]) -> list[SymbolState]:
    """Return the pairs that the request names, in any of their names; all if it names none."""
    if "pair" not in query:
        return list(market.states.values())
    by_name: dict[str, SymbolState] = {}
    for state in market.states.values():
        instrument = state.instrument
        base, quote = _short(instrument.base), _short(instrument.quote)
        names = (_rest_name(instrument), base + quote, f"{base}/{quote}", instrument.symbol)
        by_name.update(dict.fromkeys((*names, f"{instrument.base}/{instrument.quote}"), state))
    names_asked = query["pair"].split(",")
    if not all(name in by_name for name in names_asked):
        raise _Refused("EQuery:Unknown asset pair")
    return [by_name[name] for name in names_asked]


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default)).partition(".")[0]
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise _Refused("EGeneral:Invalid arguments")
    return int(text)


def _one(market: Market, query: Mapping[str, str]) -> SymbolState:
    if "pair" not in query:
        raise _Refused("EGeneral:Invalid arguments")
    return _states(market, query)[0]


def _pairs(market: Market, query: Mapping[str, str], now_ms: int) -> str:
    rows = {_rest_name(state.instrument): _pair_row(state.instrument) for state in _states(market, query)}
    return msgspec.json.encode(rows).decode()


def _pair_row(instrument: Instrument) -> dict[str, Any]:
    base, quote = _short(instrument.base), _short(instrument.quote)
    return {
        "altname": base + quote,
        "wsname": f"{base}/{quote}",
        "aclass_base": "currency",
        "base": _OLD_NAMES.get(base, base),
        "aclass_quote": "currency",
        "quote": _OLD_NAMES.get(quote, quote),
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": instrument.price_decimals,
        "lot_decimals": 8,
        "lot_multiplier": 1,
        "ordermin": size_of(instrument, 1),
        "tick_size": price_of(instrument, 1),
        "status": "online",
    }


def _trades(market: Market, query: Mapping[str, str], now_ms: int) -> str:
    """Trades after the time ``since``, the oldest first; without it the latest.

    A page ends with a millisecond, so that ``last`` never stands between two trades of the same time.
    """
    state = _one(market, query)
    count = max(1, min(_number(query, "count", _TRADES_MAX), _TRADES_MAX))
    since = _number(query, "since", 0)
    since_ms = since // 1_000_000 if since >= _NS_FROM else since * 1000
    trades = list(state.trades)
    page = trades[-count:] if "since" not in query else [trade for trade in trades if trade.time_ms > since_ms]
    if "since" in query and len(page) > count:
        edge_ms = page[count - 1].time_ms
        page = [trade for trade in page if trade.time_ms <= edge_ms]
    last_ms = page[-1].time_ms if page else since_ms
    rows = ",".join(_trade_row(state.instrument, trade) for trade in page)
    return f'{{"{_rest_name(state.instrument)}":[{rows}],"last":"{last_ms * 1_000_000}"}}'


def _trade_row(instrument: Instrument, trade: TradeRecord) -> str:
    return (
        f'["{price_of(instrument, trade.price)}","{size_of(instrument, trade.lots)}",'
        f'{trade.time_ms // 1000}.{trade.time_ms % 1000:03d}0000,"{"s" if trade.buyer_is_maker else "b"}","m","",'
        f"{trade.trade_id}]"
    )


def _depth(market: Market, query: Mapping[str, str], now_ms: int) -> str:
    state = _one(market, query)
    count = max(1, min(_number(query, "count", 100), _BOOK_MAX))
    instrument, book, seconds = state.instrument, state.book, now_ms // 1000
    sides = {
        side: [[price_of(instrument, price), size_of(instrument, lots), seconds] for price, lots in levels]
        for side, levels in (("asks", book.top_asks(count)), ("bids", book.top_bids(count)))
    }
    return msgspec.json.encode({_rest_name(instrument): sides}).decode()


def _ticker(market: Market, query: Mapping[str, str], now_ms: int) -> str:
    found = {}
    for state in _states(market, query):
        instrument, book, day = state.instrument, state.book, state.bars.day(now_ms)
        bid, ask = book.best_bid, book.best_ask
        volume, low, high = size_of(instrument, day.lots), price_of(instrument, day.low), price_of(instrument, day.high)
        close = price_of(instrument, day.close)
        found[_rest_name(instrument)] = {
            "a": [price_of(instrument, ask), "1", size_of(instrument, book.ask_sizes[ask])],
            "b": [price_of(instrument, bid), "1", size_of(instrument, book.bid_sizes[bid])],
            "c": [close, size_of(instrument, state.last_lots)],
            "v": [volume, volume],
            "p": [close, close],
            "t": [day.count, day.count],
            "l": [low, low],
            "h": [high, high],
            "o": price_of(instrument, day.open),
        }
    return msgspec.json.encode(found).decode()
