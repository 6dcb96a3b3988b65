"""Market codes of Upbit, and its list of markets ("Trading Pairs"). A code names the quote currency first."""

from __future__ import annotations

import re

from foxtrot_workers.exchanges.upbit.constants import SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.upbit.messages import decode_markets

__all__ = ["instrument_of", "is_possible_symbol", "parse_instruments"]

_SYMBOL = re.compile(r"[A-Z0-9]+-[A-Z0-9]+", re.ASCII)


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can be a market's code: ``KRW-BTC``."""
    return len(symbol) <= SYMBOL_CHARS_MAX and _SYMBOL.fullmatch(symbol) is not None


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return `instrument_of` each market of a list. Raises `msgspec.DecodeError`."""
    return {row.market: instrument_of(row.market) for row in decode_markets(body)}


def instrument_of(symbol: str) -> str:
    """Return ``BTC-KRW`` for ``KRW-BTC``; `symbol` itself if it has another form."""
    quote, dash, base = symbol.partition("-")
    return f"{base}-{quote}" if dash and quote and base else symbol
