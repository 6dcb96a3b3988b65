"""Symbols of BitMEX, and its list of instruments ("Get all active instruments")."""

from __future__ import annotations

from foxtrot_workers.exchanges.bitmex.constants import MONTHS, SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.bitmex.messages import ListedInstrument, decode_listed

__all__ = ["is_possible_symbol", "parse_instruments"]

_BREAKING = set(" ,:#?&\"'\\")
"""Characters that would break a wire name."""


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can stand in a wire name."""
    return 0 < len(symbol) <= SYMBOL_CHARS_MAX and symbol.isprintable() and not set(symbol) & _BREAKING


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE-PERP, or BASE-QUOTE-21U24 with a date, by symbol. Raises `msgspec.DecodeError`."""
    return {listed.symbol: _name_of(listed) for listed in decode_listed(body)}


def _name_of(listed: ListedInstrument) -> str:
    if not listed.underlying or not listed.quote:
        return listed.symbol
    pair = f"{_currency(listed.underlying)}-{_currency(listed.quote)}"
    if listed.expiry is None:
        return f"{pair}-PERP"
    return f"{pair}-{listed.expiry:%y}{MONTHS[listed.expiry.month - 1]}{listed.expiry:%d}"


def _currency(name: str) -> str:
    return "BTC" if name == "XBT" else name
