"""Trades, as rows of the stream and of REST alike, and the newest ones by REST ("Trades")."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec

from foxtrot_protocol.events import Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.adapter.number_text import number_text
from foxtrot_workers.exchanges.bitfinex.constants import HISTORY_TRADES
from foxtrot_workers.exchanges.bitfinex.messages import decode_array, millis_ns, row_of, whole

__all__ = ["history_request", "parse_history", "trade_of"]


def trade_of(exchange: str, symbol: str, receive_ns: int, value: Any) -> Trade[str]:
    """Return the trade of a row ``[id, ms, amount, price]``; the sign of the amount is the taker's side.

    Raises `msgspec.ValidationError` for any other row.
    """
    trade_id, time_ms, amount, price = row_of(value, 4)[:4]
    size = amount if type(amount) is str and amount else number_text(amount)
    if type(price) is not str or not price:
        price = number_text(price)
    time_ns, trade_id = millis_ns(time_ms), str(whole(trade_id))
    if size[0] == "-":
        return Trade(exchange, symbol, time_ns, receive_ns, price, size[1:], "sell", trade_id)
    return Trade(exchange, symbol, time_ns, receive_ns, price, size, "buy", trade_id)


def history_request(symbol: str) -> RestRequest:
    """Return the request for the newest trades."""
    return RestRequest(f"trades {symbol}", f"/v2/trades/{quote(symbol)}/hist?limit={HISTORY_TRADES}")


def parse_history(exchange: str, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
    """Return the trades in the answer to the request `path`.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal: ``["error", code, text]``.
    """
    parts = urlsplit(path).path.split("/")
    symbol = unquote(parts[-2]) if len(parts) > 1 else ""
    try:
        rows = decode_array(body)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None
    if rows[:1] == ["error"]:
        raise ValueError(f"refused: {rows[1:]}"[:200])
    return [trade_of(exchange, symbol, receive_ns, row) for row in rows]
