"""REST answers of Coinbase Exchange from the simulated market. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import msgspec

from foxtrot_workers.simulator.market.instruments import Instrument, fixed_text
from foxtrot_workers.simulator.market.market import Market, SymbolState, TradeRecord
from foxtrot_workers.simulator.venues.answer import Answer
from foxtrot_workers.simulator.venues.coinbase import messages
from foxtrot_workers.simulator.venues.times import iso_text

__all__ = ["answer"]

_TRADES_MAX = 1_000
_BOOK_LEVELS = {"1": 1, "2": 1_000_000}


class _Refused(Exception):
    """The request is answered with this status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def answer(market: Market, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
    """Return the answer to ``GET path?query``; never raises."""
    parts = [part for part in path.split("/") if part]
    try:
        if parts == ["time"]:
            return _json({"iso": iso_text(now_ms), "epoch": now_ms / 1000})
        if parts == ["products"]:
            return _json([_product_row(state.instrument) for state in market.states.values()])
        if len(parts) in (2, 3) and parts[0] == "products":
            state = _state(market, parts[1])
            if len(parts) == 2:
                return _json(_product_row(state.instrument))
            if parts[2] == "trades":
                return _trades(state, query)
            if parts[2] == "book":
                return _book(state, query, now_ms)
            if parts[2] == "ticker":
                return _ticker(state, now_ms)
    except _Refused as refused:
        return _json({"message": refused.text}, refused.status)
    return _json({"message": "NotFound"}, 404)


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, msgspec.json.encode(body), headers=headers or {})


def _state(market: Market, name: str) -> SymbolState:
    state = market.states.get(name.replace("-", ""))
    if state is None or messages.name_of(state.instrument) != name:
        raise _Refused(404, "NotFound")
    return state


def _number(query: Mapping[str, str], name: str, default: int | None) -> int | None:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise _Refused(400, f"{name} is not a number")
    return int(text)


def _product_row(instrument: Instrument) -> dict[str, Any]:
    name = messages.name_of(instrument)
    return {
        "id": name,
        "base_currency": instrument.base,
        "quote_currency": instrument.quote,
        "quote_increment": fixed_text(1, instrument.price_decimals),
        "base_increment": fixed_text(1, instrument.size_decimals),
        "display_name": name.replace("-", "/"),
        "min_market_funds": "1",
        "margin_enabled": False,
        "post_only": False,
        "limit_only": False,
        "cancel_only": False,
        "status": "online",
        "status_message": "",
        "trading_disabled": False,
    }


def _trades(state: SymbolState, query: Mapping[str, str]) -> Answer:
    """The latest first: older than ``after``, newer than ``before``."""
    limit = min(_number(query, "limit", _TRADES_MAX) or _TRADES_MAX, _TRADES_MAX)
    after, before = _number(query, "after", None), _number(query, "before", None)
    found = (
        trade
        for trade in reversed(state.trades)
        if (after is None or trade.trade_id < after) and (before is None or trade.trade_id > before)
    )
    page = list(islice(found, limit))
    headers = {}
    if page:
        headers = {"CB-BEFORE": str(page[0].trade_id), "CB-AFTER": str(page[-1].trade_id)}
    return _json([_trade_row(state.instrument, trade) for trade in page], headers=headers)


def _trade_row(instrument: Instrument, trade: TradeRecord) -> dict[str, Any]:
    return {
        "trade_id": trade.trade_id,
        "side": messages.maker_side(trade),
        "size": messages.size_of(instrument, trade.lots),
        "price": messages.price_of(instrument, trade.price),
        "time": iso_text(trade.time_ms),
    }


def _book(state: SymbolState, query: Mapping[str, str], now_ms: int) -> Answer:
    limit = _BOOK_LEVELS.get(query.get("level", "1"))
    if limit is None:
        raise _Refused(400, "level must be 1 or 2")
    instrument, book = state.instrument, state.book
    sides = {
        side: [[messages.price_of(instrument, price), messages.size_of(instrument, lots), 1] for price, lots in levels]
        for side, levels in (("bids", book.top_bids(limit)), ("asks", book.top_asks(limit)))
    }
    more = {"sequence": messages.sequence_of(state), "auction_mode": False, "auction": None, "time": iso_text(now_ms)}
    return _json({**sides, **more})


def _ticker(state: SymbolState, now_ms: int) -> Answer:
    instrument, book = state.instrument, state.book
    if not state.trades:
        raise _Refused(404, "NotFound")
    last = state.trades[-1]
    return _json(
        {
            "ask": messages.price_of(instrument, book.best_ask),
            "bid": messages.price_of(instrument, book.best_bid),
            "volume": messages.size_of(instrument, state.bars.day(now_ms).lots),
            "trade_id": last.trade_id,
            "price": messages.price_of(instrument, last.price),
            "size": messages.size_of(instrument, last.lots),
            "time": iso_text(last.time_ms),
        }
    )
