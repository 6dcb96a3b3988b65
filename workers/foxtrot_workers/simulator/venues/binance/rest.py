"""REST answers of the simulated market. Pure.

Paths, parameters, forms, weights and error codes are Binance spot's. The depth snapshot is the current book, so its
``lastUpdateId`` fits the depth stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import msgspec

from foxtrot_workers.simulator.market.instruments import DECIMALS, Instrument, decimal_text
from foxtrot_workers.simulator.market.market import AggRecord, Market, SymbolState, TradeRecord
from foxtrot_workers.simulator.venues.answer import Answer, retry_after
from foxtrot_workers.simulator.venues.binance import messages

__all__ = ["answer", "error"]

_DEPTH_DEFAULT = 100
_DEPTH_MAX = 5_000
_TRADES_DEFAULT = 500
_TRADES_MAX = 1_000
_SPAN_MS_MAX = 60 * 60 * 1000
_WEIGHT_EXCHANGE_INFO = 20
_WEIGHT_TRADES = 25
_WEIGHT_AGG_TRADES = 4
_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1_000, 50), (_DEPTH_MAX, 250))
"""Levels, and the weight of a request for up to so many."""


class _Refused(Exception):
    """The request breaks a rule; `code` and `text` are the exchange's."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text


def error(status: int, code: int, text: str, retry_after_s: float | None = None) -> Answer:
    """Return an error in the exchange's form."""
    return Answer(status, msgspec.json.encode({"code": code, "msg": text}), headers=retry_after(retry_after_s))


def answer(market: Market, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
    """Return the answer to ``GET path?query``; never raises."""
    try:
        if path in ("/api/v3/ping", "/api/v1/ping"):
            return Answer(200, b"{}")
        if path in ("/api/v3/time", "/api/v1/time"):
            return Answer(200, b'{"serverTime":%d}' % now_ms)
        if path in ("/api/v3/exchangeInfo", "/api/v1/exchangeInfo"):
            return _exchange_info(market, query, now_ms)
        if path in ("/api/v3/depth", "/api/v1/depth"):
            return _depth(market, query)
        if path in ("/api/v3/trades", "/api/v3/historicalTrades", "/api/v1/historicalTrades"):
            return _trades(market, query)
        if path in ("/api/v3/aggTrades", "/api/v1/aggTrades"):
            return _agg_trades(market, query)
    except _Refused as refused:
        return error(refused.status, refused.code, refused.text)
    return error(404, -1100, "Not found")


def _state(market: Market, query: Mapping[str, str]) -> SymbolState:
    symbol = query.get("symbol", "")
    if not symbol:
        text = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
        raise _Refused(400, -1102, text)
    state = market.states.get(symbol)
    if state is None:
        raise _Refused(400, -1121, "Invalid symbol.")
    return state


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise _Refused(400, -1100, f"Illegal characters found in parameter '{name}'.")
    return int(text)


def _limit(query: Mapping[str, str], default: int, highest: int) -> int:
    limit = _number(query, "limit")
    if limit is None:
        return default
    if limit == 0:
        raise _Refused(400, -1130, "Data sent for parameter 'limit' is not valid.")
    return min(limit, highest)


def _depth(market: Market, query: Mapping[str, str]) -> Answer:
    state = _state(market, query)
    limit = _limit(query, _DEPTH_DEFAULT, _DEPTH_MAX)
    weight = next(weight for levels, weight in _DEPTH_WEIGHTS if limit <= levels)
    return Answer(200, messages.partial_depth(state.instrument, state.book, limit), weight)


def _trades(market: Market, query: Mapping[str, str]) -> Answer:
    state = _state(market, query)
    limit = _limit(query, _TRADES_DEFAULT, _TRADES_MAX)
    from_id = _number(query, "fromId")
    trades = state.trades
    first = trades[0].trade_id if trades else 0
    start = max(0, len(trades) - limit) if from_id is None else max(0, from_id - first)
    found = [_trade_row(state.instrument, trade) for trade in islice(trades, start, start + limit)]
    return Answer(200, msgspec.json.encode(found), _WEIGHT_TRADES)


def _agg_trades(market: Market, query: Mapping[str, str]) -> Answer:
    state = _state(market, query)
    limit = _limit(query, _TRADES_DEFAULT, _TRADES_MAX)
    from_id = _number(query, "fromId")
    start_ms, end_ms = _number(query, "startTime"), _number(query, "endTime")
    aggs = state.aggs
    found: Iterable[AggRecord]
    if from_id is not None:
        first = aggs[0].agg_id if aggs else 0
        found = islice(aggs, max(0, from_id - first), None)
    elif start_ms is not None or end_ms is not None:
        if start_ms is not None and end_ms is not None and not 0 <= end_ms - start_ms <= _SPAN_MS_MAX:
            raise _Refused(400, -1127, "More than 1 hour between startTime and endTime.")
        low, high = start_ms or 0, end_ms if end_ms is not None else 2**63
        found = (agg for agg in aggs if low <= agg.time_ms <= high)
    else:
        found = islice(aggs, max(0, len(aggs) - limit), None)
    rows = [_agg_row(state.instrument, agg) for agg in islice(found, limit)]
    return Answer(200, msgspec.json.encode(rows), _WEIGHT_AGG_TRADES)


def _trade_row(instrument: Instrument, trade: TradeRecord) -> dict[str, Any]:
    turnover = trade.price * trade.lots * 10**DECIMALS
    return {
        "id": trade.trade_id,
        "price": decimal_text(trade.price * instrument.price_scale),
        "qty": decimal_text(trade.lots * instrument.size_scale),
        "quoteQty": decimal_text(turnover // 10 ** (instrument.price_decimals + instrument.size_decimals)),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def _agg_row(instrument: Instrument, agg: AggRecord) -> dict[str, Any]:
    return {
        "a": agg.agg_id,
        "p": decimal_text(agg.price * instrument.price_scale),
        "q": decimal_text(agg.lots * instrument.size_scale),
        "f": agg.first_id,
        "l": agg.last_id,
        "T": agg.time_ms,
        "m": agg.buyer_is_maker,
        "M": True,
    }


def _exchange_info(market: Market, query: Mapping[str, str], now_ms: int) -> Answer:
    body = {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
        ],
        "exchangeFilters": [],
        "symbols": [_symbol_row(state.instrument) for state in _asked(market, query)],
    }
    return Answer(200, msgspec.json.encode(body), _WEIGHT_EXCHANGE_INFO)


def _asked(market: Market, query: Mapping[str, str]) -> list[SymbolState]:
    if "symbol" in query:
        return [_state(market, query)]
    if "symbols" not in query:
        return list(market.states.values())
    try:
        names = msgspec.json.decode(query["symbols"].encode(), type=list[str])
    except msgspec.DecodeError:
        raise _Refused(400, -1100, "Illegal characters found in parameter 'symbols'.") from None
    return [_state(market, {"symbol": name}) for name in names]


def _symbol_row(instrument: Instrument) -> dict[str, Any]:
    tick, lot = decimal_text(instrument.price_scale), decimal_text(instrument.size_scale)
    return {
        "symbol": instrument.symbol,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "baseAssetPrecision": DECIMALS,
        "quoteAsset": instrument.quote,
        "quotePrecision": DECIMALS,
        "quoteAssetPrecision": DECIMALS,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "10000000.00000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "10000000.00000000", "stepSize": lot},
        ],
        "permissions": ["SPOT"],
    }
