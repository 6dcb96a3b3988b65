"""Symbols of Gate.io, and its lists of instruments ("List all currency pairs", "List all futures contracts")."""

from __future__ import annotations

import re

from foxtrot_workers.exchanges.gateio.constants import SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.gateio.messages import decode_contracts, decode_pairs

__all__ = ["contract_of", "is_possible_symbol", "pair_of", "parse_contracts", "parse_pairs"]

_BREAKING = set(" ,:./?&#%@!\"'\\")
"""Characters that would break a wire name or a query."""

_MONTHS = "FGHJKMNQUVXZ"
"""The month letters of futures, January to December."""

_DATED = re.compile(r"(?P<year>[0-9]{2})(?P<month>0[1-9]|1[0-2])(?P<day>[0-9]{2})")


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can stand in a wire name and a query."""
    return 0 < len(symbol) <= SYMBOL_CHARS_MAX and symbol.isprintable() and not set(symbol) & _BREAKING


def pair_of(symbol: str) -> str:
    """Return BASE-QUOTE of ``BTC_USDT``; `symbol` itself if it has another form."""
    base, mark, quote = symbol.rpartition("_")
    return f"{base}-{quote}" if mark and base and quote else symbol


def contract_of(symbol: str) -> str:
    """Return BASE-QUOTE-PERP of ``BTC_USDT``, BASE-QUOTE-24U27 of ``BTC_USDT_20240927``; else `symbol` itself."""
    parts = symbol.split("_")
    if len(parts) == 2 and all(parts):
        return f"{parts[0]}-{parts[1]}-PERP"
    date = _DATED.fullmatch(parts[2].removeprefix("20")) if len(parts) == 3 else None
    if date is None:
        return symbol
    return f"{parts[0]}-{parts[1]}-{date['year']}{_MONTHS[int(date['month']) - 1]}{date['day']}"


def parse_pairs(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE by symbol, from the list of currency pairs. Raises `msgspec.DecodeError`."""
    return {listed.id: f"{listed.base}-{listed.quote}" for listed in decode_pairs(body)}


def parse_contracts(body: bytes) -> dict[str, str]:
    """Return `contract_of` each contract of a list. Raises `msgspec.DecodeError`."""
    return {listed.name: contract_of(listed.name) for listed in decode_contracts(body)}
