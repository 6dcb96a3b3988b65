"""Symbols of Binance, and its instrument list (``rest-api.md``, "Exchange information")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from foxtrot_workers.exchanges.binance.constants import INSTRUMENTS_LISTED_MAX, MONTHS, SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.binance.messages import decode_instruments

__all__ = [
    "contract_of",
    "instrument_of",
    "instruments_path",
    "is_possible_symbol",
    "parse_contracts",
    "parse_instruments",
]

_BREAKING = set(" @/!&?#\"'\\%")
"""Characters that would break a stream name or a query."""


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can stand in a stream name and a query. Symbols have letters of any script."""
    return 0 < len(symbol) <= SYMBOL_CHARS_MAX and symbol.isprintable() and not set(symbol) & _BREAKING


def instruments_path(symbols: Sequence[str]) -> str:
    """Return the REST path of the list of `symbols`; of all instruments if there are none, or too many to name."""
    if not 0 < len(symbols) <= INSTRUMENTS_LISTED_MAX:
        return "/api/v3/exchangeInfo"
    names = msgspec.json.encode([symbol.upper() for symbol in symbols]).decode()
    return f"/api/v3/exchangeInfo?symbols={quote(names)}"


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE by symbol, from an instrument list. Raises `msgspec.DecodeError`."""
    return {listed.symbol: f"{listed.base}-{listed.quote}" for listed in decode_instruments(body).symbols}


def parse_contracts(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE-[PERP or date] by symbol, from an instrument list of futures. Raises `msgspec.DecodeError`."""
    return {
        listed.symbol: contract_of(listed.symbol, f"{listed.base}-{listed.quote}")
        for listed in decode_instruments(body).symbols
    }


def contract_of(symbol: str, pair: str) -> str:
    """Return the name of a contract on `pair`: ``BTCUSDT`` and ``BTCUSD_PERP`` are perpetual, ``BTCUSD_210924`` ends.

    The date becomes ``21U24``, with the month letters of futures.
    """
    _, _, due = symbol.partition("_")
    if re.fullmatch(r"[0-9]{6}", due) and 1 <= int(due[2:4]) <= 12:
        return f"{pair}-{due[:2]}{MONTHS[int(due[2:4]) - 1]}{due[4:]}"
    return f"{pair}-PERP"


def instrument_of(symbol: str, quote_assets: Sequence[str]) -> str:
    """Return BASE-QUOTE, split at the longest of `quote_assets` that `symbol` ends with; `symbol` if there is none."""
    fitting = [asset for asset in quote_assets if symbol.endswith(asset) and len(symbol) > len(asset)]
    if not fitting:
        return symbol
    asset = max(fitting, key=len)
    return f"{symbol.removesuffix(asset)}-{asset}"
