"""REST answers of OKX v5 from the simulated market. Pure.

Errors are answers with status 200 and a code, as at the real exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import msgspec

from foxtrot_workers.simulator.market.instruments import Instrument, fixed_text
from foxtrot_workers.simulator.market.market import Market, SymbolState, TradeRecord
from foxtrot_workers.simulator.venues.answer import Answer
from foxtrot_workers.simulator.venues.okx import messages

__all__ = ["answer"]

_HISTORY_MAX = 100
_TRADES_MAX = 500
_BOOK_MAX = 400
_WEIGHT_HISTORY = 2

_UNKNOWN_INSTRUMENT = ("51001", "Instrument ID does not exist")
_WRONG_PARAMETER = ("51000", "Parameter error")


class _Refused(Exception):
    """The request is answered with this code and text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def answer(market: Market, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
    """Return the answer to ``GET path?query``; never raises."""
    makers = {
        "/api/v5/public/instruments": _instruments,
        "/api/v5/market/history-trades": _history,
        "/api/v5/market/trades": _trades,
        "/api/v5/market/books": _books,
        "/api/v5/market/ticker": _ticker,
    }
    if path == "/api/v5/public/time":
        return _success(f'{{"ts":"{now_ms}"}}')
    make = makers.get(path)
    if make is None:
        return Answer(404, b'{"code":"404","data":[],"msg":"Invalid path"}')
    try:
        return make(market, query, now_ms)
    except _Refused as refused:
        body = {"code": refused.code, "msg": refused.text, "data": list[Any]()}
        return Answer(200, msgspec.json.encode(body))


def _success(data: str, weight: int = 1) -> Answer:
    return Answer(200, f'{{"code":"0","msg":"","data":[{data}]}}'.encode(), weight)


def _state(market: Market, query: Mapping[str, str]) -> SymbolState:
    name = query.get("instId", "")
    state = market.states.get(name.replace("-", ""))
    if state is None or messages.name_of(state.instrument) != name:
        raise _Refused(*_UNKNOWN_INSTRUMENT)
    return state


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise _Refused(*_WRONG_PARAMETER)
    return int(text)


def _instruments(market: Market, query: Mapping[str, str], now_ms: int) -> Answer:
    kind = query.get("instType")
    if kind not in ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"):
        raise _Refused(*_WRONG_PARAMETER)
    found = [] if kind != "SPOT" else [state.instrument for state in market.states.values()]
    if "instId" in query:
        found = [instrument for instrument in found if messages.name_of(instrument) == query["instId"]]
        if not found:
            raise _Refused(*_UNKNOWN_INSTRUMENT)
    return _success(",".join(map(_instrument_row, found)))


def _instrument_row(instrument: Instrument) -> str:
    tick, lot = fixed_text(1, instrument.price_decimals), fixed_text(1, instrument.size_decimals)
    row = {
        "instType": "SPOT",
        "instId": messages.name_of(instrument),
        "uly": "",
        "instFamily": "",
        "baseCcy": instrument.base,
        "quoteCcy": instrument.quote,
        "settleCcy": "",
        "ctVal": "",
        "ctMult": "",
        "ctValCcy": "",
        "optType": "",
        "stk": "",
        "listTime": "1548133413000",
        "expTime": "",
        "lever": "",
        "tickSz": tick,
        "lotSz": lot,
        "minSz": lot,
        "ctType": "",
        "state": "live",
    }
    return msgspec.json.encode(row).decode()


def _history(market: Market, query: Mapping[str, str], now_ms: int) -> Answer:
    """Trades older than the identifier ``after``, the latest first."""
    state = _state(market, query)
    if query.get("type", "1") != "1":
        raise _Refused(*_WRONG_PARAMETER)
    limit = min(_number(query, "limit", _HISTORY_MAX), _HISTORY_MAX)
    after = _number(query, "after", 2**63)
    older = (trade for trade in reversed(state.trades) if trade.trade_id < after)
    return _success(_rows(state, islice(older, limit)), _WEIGHT_HISTORY)


def _trades(market: Market, query: Mapping[str, str], now_ms: int) -> Answer:
    state = _state(market, query)
    limit = min(_number(query, "limit", _HISTORY_MAX), _TRADES_MAX)
    return _success(_rows(state, islice(reversed(state.trades), limit)))


def _rows(state: SymbolState, trades: islice[TradeRecord]) -> str:
    return ",".join(
        messages.trade(
            state.instrument,
            trade.time_ms,
            trade.trade_id,
            trade.price,
            trade.lots,
            None,
            taker_buys=not trade.buyer_is_maker,
        )
        for trade in trades
    )


def _books(market: Market, query: Mapping[str, str], now_ms: int) -> Answer:
    state = _state(market, query)
    limit = min(_number(query, "sz", 1), _BOOK_MAX)
    book = state.book
    bids, asks = book.top_bids(limit), book.top_asks(limit)
    return _success(
        f'{{"asks":{messages.levels(state.instrument, asks)},"bids":{messages.levels(state.instrument, bids)},'
        f'"ts":"{now_ms}","seqId":{book.update_id}}}'
    )


def _ticker(market: Market, query: Mapping[str, str], now_ms: int) -> Answer:
    state = _state(market, query)
    return _success(messages.ticker(state.instrument, now_ms, state.bars.day(now_ms), state.book, state.last_lots))
