"""Instrument names of Bitstamp, and its list of markets ("Markets")."""

from __future__ import annotations

import re

from foxtrot_workers.exchanges.bitstamp.constants import SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.bitstamp.messages import decode_markets

__all__ = ["instrument_of", "is_possible_symbol", "parse_instruments"]

_SYMBOL = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)

_QUOTES = ("usdt", "usdc", "pyusd", "usd", "eur", "gbp", "btc", "eth", "pax", "dai", "gusd")
"""Currencies that markets are quoted in: used to split a symbol where no list of markets is at hand."""


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can name a market: ``btcusd``, ``btcusd-perp``."""
    return len(symbol) <= SYMBOL_CHARS_MAX and _SYMBOL.fullmatch(symbol) is not None


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE of each market of a list. Raises `msgspec.DecodeError`."""
    return {row.symbol or row.url_symbol: row.name.replace("/", "-") for row in decode_markets(body)}


def instrument_of(symbol: str) -> str:
    """Split `symbol` at the quote currency that it ends with; ``btcusd-perp`` becomes ``BTC-USD-PERP``."""
    pair, dash, kind = symbol.partition("-")
    suffix = f"-{kind.upper()}" if dash else ""
    for quote in _QUOTES:
        base = pair.removesuffix(quote)
        if base and base != pair:
            return f"{base.upper()}-{quote.upper()}{suffix}"
    return symbol.upper()
