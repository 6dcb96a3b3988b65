"""Past trades by REST: the request for a page, and the trades in its answer.

Sources: "Retrieve market trades", "Futures trading history". Pages run backwards, from the last trade asked for.
"""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from foxtrot_protocol.events import Side, Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.adapter.number_text import Number, number_text
from foxtrot_workers.exchanges.gateio.constants import HISTORY_TRADES, MS, SECOND, US
from foxtrot_workers.exchanges.gateio.messages import decode_past_contract_trades, decode_past_pair_trades

__all__ = ["contract_size", "history_request", "parse_contract_history", "parse_pair_history", "time_ns_of"]

_MS_LEAST = 10**12
_MS_MOST = 9 * 10**12
"""Times in milliseconds, from 2001 to 2255."""

_MS_DIGITS_MIN = 12
"""Whole digits from which on a time is in milliseconds: seconds have ten."""


def time_ns_of(*times: Number) -> int:
    """Return nanoseconds since 1970 of the first of `times` that is sent; 0 if none is.

    A time is a number, or its text, of seconds or milliseconds, with a fraction or without.
    Raises `msgspec.ValidationError` for anything else.
    """
    time = times[0]
    if type(time) is int and _MS_LEAST <= time < _MS_MOST:  # what futures send
        return time * MS
    if type(time) is str and len(time) == 17 and time[13] == ".":  # what spot sends: 1619093546958.116
        micros = time[:13] + time[14:]
        if micros.isascii() and micros.isdigit():
            return int(micros) * US
    time = next((each for each in times if each is not None and each != ""), None)
    if time is None:
        return 0
    whole, _, fraction = number_text(time).partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 16 and (not fraction or fraction.isdigit())):
        raise msgspec.ValidationError(f"not a time: {whole[:20]}")
    unit = MS if len(whole) >= _MS_DIGITS_MIN else SECOND
    digits = len(str(unit)) - 1
    ns = int(whole) * unit + int(fraction[:digits].ljust(digits, "0"))
    if ns >= 2**63:
        raise msgspec.ValidationError(f"not a time: {whole[:20]}")
    return ns


def contract_size(size: Number) -> tuple[str, Side]:
    """Return the size of a trade in contracts, and its side: a negative size sells. Raises as `number_text`."""
    text = number_text(size)
    return (text[1:], "sell") if text.startswith("-") else (text, "buy")


def history_request(symbol: str, path: str, key: str, last_id: int, *, reverse: bool) -> RestRequest:
    """Return the request for the page of trades that ends with `last_id`.

    Args:
        symbol: of the trades.
        path: of the exchange's REST API.
        key: the parameter that names the symbol.
        last_id: identifier of the newest trade asked for.
        reverse: whether the exchange must be told that pages run backwards.
    """
    direction = "&reverse=true" if reverse else ""
    query = f"{key}={quote(symbol)}&limit={HISTORY_TRADES}&last_id={last_id + 1}{direction}"
    return RestRequest(f"trades {symbol}", f"{path}?{query}")


def parse_pair_history(exchange: str, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
    """Return the trades in an answer about a currency pair. Raises `msgspec.DecodeError`."""
    symbol = _symbol_of(path, "currency_pair")
    try:
        rows = decode_past_pair_trades(body)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None
    return [
        Trade(exchange, symbol, time_ns_of(row.time), receive_ns, row.price, row.size, row.side, str(row.id))
        for row in rows
    ]


def parse_contract_history(exchange: str, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
    """Return the trades in an answer about a contract. Raises `msgspec.DecodeError`."""
    symbol = _symbol_of(path, "contract")
    try:
        rows = decode_past_contract_trades(body)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None
    trades: list[Trade[str]] = []
    for row in rows:
        size, side = contract_size(row.size)
        time_ns = time_ns_of(row.time, row.time_s)
        trades.append(Trade(exchange, symbol, time_ns, receive_ns, row.price, size, side, str(row.id)))
    return trades


def _symbol_of(path: str, key: str) -> str:
    return parse_qs(urlsplit(path).query).get(key, [""])[0]
