"""Instruments of Crypto.com, and their list ("public/get-instruments")."""

from __future__ import annotations

import re

from foxtrot_workers.exchanges.crypto_com.constants import MONTHS, SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.crypto_com.messages import InstrumentRow, decode_instruments

__all__ = ["instrument_of", "is_possible_instrument", "parse_instruments"]

_SYMBOL = re.compile(r"[A-Z0-9]+(?:[-_][A-Z0-9]+)*", re.ASCII)

_DERIVATIVE = re.compile(r"(?P<base>[A-Z0-9]+?)(?P<quote>USDT|USDC|USD)-(?P<kind>PERP|[0-9]{6})", re.ASCII)


def is_possible_instrument(symbol: str) -> bool:
    """Return whether `symbol` can name an instrument."""
    return len(symbol) <= SYMBOL_CHARS_MAX and _SYMBOL.fullmatch(symbol) is not None


def instrument_of(symbol: str) -> str:
    """Return BASE-QUOTE[-…] as `symbol` says it; `symbol` itself if it has no known form.

    ``BTC_USD`` becomes ``BTC-USD``, ``BTCUSD-PERP`` becomes ``BTC-USD-PERP``, ``BTCUSD-260327`` becomes
    ``BTC-USD-26H27``.
    """
    match = _DERIVATIVE.fullmatch(symbol)
    if match is None:
        return symbol.replace("_", "-") if symbol.count("_") == 1 else symbol
    return _derivative(match["base"], match["quote"], match["kind"]) or symbol


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE[-…] of each instrument of a list. Raises `msgspec.DecodeError`."""
    result = decode_instruments(body).result
    names = {}
    for row in (*result.data, *result.instruments):
        if symbol := row.symbol or row.old_symbol:
            names[symbol] = _name(symbol, row)
    return names


def _name(symbol: str, row: InstrumentRow) -> str:
    base, quote = row.base or row.old_base, row.quote or row.old_quote
    if not base or not quote:
        return instrument_of(symbol)
    _, dash, kind = symbol.partition("-")
    return (_derivative(base, quote, kind) or symbol) if dash else f"{base}-{quote}"


def _derivative(base: str, quote: str, kind: str) -> str | None:
    """Return the name of a perpetual or dated contract; None for any other kind."""
    if kind == "PERP":
        return f"{base}-{quote}-PERP"
    if re.fullmatch(r"[0-9]{6}", kind) is None or not 1 <= int(kind[2:4]) <= 12:
        return None
    return f"{base}-{quote}-{kind[:2]}{MONTHS[int(kind[2:4]) - 1]}{kind[4:]}"
