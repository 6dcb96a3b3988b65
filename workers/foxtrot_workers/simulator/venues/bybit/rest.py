"""REST answers of Bybit v5 from the simulated market. Pure.

Errors are answers with status 200 and a code, as at the real exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import msgspec

from foxtrot_workers.simulator.market.instruments import fixed_text
from foxtrot_workers.simulator.market.market import Market, SymbolState
from foxtrot_workers.simulator.venues.answer import Answer
from foxtrot_workers.simulator.venues.bybit import messages
from foxtrot_workers.simulator.venues.bybit.names import CATEGORIES, is_offered, trade_id_text
from foxtrot_workers.simulator.venues.bybit.publisher import BybitPublisher

__all__ = ["answer"]

_TRADES_MAX = {"spot": 60, "linear": 1_000, "inverse": 1_000}
_TRADES_DEFAULT = {"spot": 60, "linear": 500, "inverse": 500}
_BOOK_MAX = {"spot": 200, "linear": 1_000, "inverse": 1_000}
_WRONG_PARAMETER = 10001


class _Refused(Exception):
    """The request is answered with this code and text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def answer(publisher: BybitPublisher, market: Market, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
    """Return the answer to ``GET path?query``; never raises."""
    try:
        if path == "/v5/market/time":
            seconds = now_ms // 1000
            return _success({"timeSecond": str(seconds), "timeNano": str(now_ms * 1_000_000)}, now_ms)
        if path == "/v5/market/instruments-info":
            return _success(_instruments(market, query), now_ms)
        if path == "/v5/market/recent-trade":
            return _success(_trades(market, query), now_ms)
        if path == "/v5/market/orderbook":
            return _book(publisher, market, query, now_ms)
        if path == "/v5/market/tickers":
            return _success(_tickers(market, query, now_ms), now_ms)
    except _Refused as refused:
        return _wrap(_WRONG_PARAMETER, refused.text, "{}", now_ms)
    return Answer(404, b"")


def _success(result: Any, now_ms: int) -> Answer:
    return _wrap(0, "OK", msgspec.json.encode(result).decode(), now_ms)


def _wrap(code: int, text: str, result: str, now_ms: int) -> Answer:
    message = msgspec.json.encode(text).decode()
    body = f'{{"retCode":{code},"retMsg":{message},"result":{result},"retExtInfo":{{}},"time":{now_ms}}}'
    return Answer(200, body.encode())


def _category(query: Mapping[str, str]) -> str:
    category = query.get("category", "")
    if category not in CATEGORIES:
        raise _Refused("Illegal category")
    return category


def _state(market: Market, query: Mapping[str, str]) -> tuple[str, SymbolState]:
    category = _category(query)
    state = market.states.get(query.get("symbol", ""))
    if state is None or not is_offered(category, state.instrument):
        raise _Refused("Not supported symbols")
    return category, state


def _limit(query: Mapping[str, str], default: int, highest: int) -> int:
    text = query.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise _Refused("params error: limit")
    return min(int(text), highest)


def _instruments(market: Market, query: Mapping[str, str]) -> dict[str, Any]:
    category = _category(query)
    found = [_state(market, query)[1]] if "symbol" in query else list(market.states.values())
    rows = [_instrument_row(category, state) for state in found if is_offered(category, state.instrument)]
    return {"category": category, "list": rows, "nextPageCursor": ""}


def _instrument_row(category: str, state: SymbolState) -> dict[str, Any]:
    instrument = state.instrument
    tick, lot = fixed_text(1, instrument.price_decimals), fixed_text(1, instrument.size_decimals)
    row = {
        "symbol": instrument.symbol,
        "baseCoin": instrument.base,
        "quoteCoin": instrument.quote,
        "status": "Trading",
        "priceFilter": {"tickSize": tick},
    }
    if category == "spot":
        return {**row, "innovation": "0", "marginTrading": "none", "lotSizeFilter": {"basePrecision": lot}}
    kind = {"linear": "LinearPerpetual", "inverse": "InversePerpetual"}[category]
    settle = instrument.quote if category == "linear" else instrument.base
    return {
        **row,
        "contractType": kind,
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "settleCoin": settle,
        "lotSizeFilter": {"qtyStep": lot, "minOrderQty": lot},
    }


def _trades(market: Market, query: Mapping[str, str]) -> dict[str, Any]:
    """The newest trades, the latest first."""
    category, state = _state(market, query)
    limit = _limit(query, _TRADES_DEFAULT[category], _TRADES_MAX[category])
    rows = [
        {
            "execId": trade_id_text(category, trade.trade_id),
            "symbol": state.instrument.symbol,
            "price": messages.price_of(state.instrument, trade.price),
            "size": messages.size_of(state.instrument, trade.lots),
            "side": messages.side_of(trade),
            "time": str(trade.time_ms),
            "isBlockTrade": False,
            "isRPITrade": False,
            "seq": str(state.book.update_id),
        }
        for trade in islice(reversed(state.trades), limit)
    ]
    return {"category": category, "list": rows}


def _book(publisher: BybitPublisher, market: Market, query: Mapping[str, str], now_ms: int) -> Answer:
    category, state = _state(market, query)
    limit = _limit(query, 1 if category == "spot" else 25, _BOOK_MAX[category])
    instrument, book = state.instrument, state.book
    result = (
        f'{{"s":"{instrument.symbol}","a":{messages.levels(instrument, book.top_asks(limit))},'
        f'"b":{messages.levels(instrument, book.top_bids(limit))},"ts":{now_ms},'
        f'"u":{publisher.update_of(category, instrument.symbol, 1000)},"seq":{book.update_id},"cts":{now_ms}}}'
    )
    return _wrap(0, "OK", result, now_ms)


def _tickers(market: Market, query: Mapping[str, str], now_ms: int) -> dict[str, Any]:
    category = _category(query)
    found = [_state(market, query)[1]] if "symbol" in query else list(market.states.values())
    offered = [state for state in found if is_offered(category, state.instrument)]
    rows = [messages.ticker_fields(state, category, now_ms) for state in offered]
    return {"category": category, "list": rows}
