"""Symbols of Gemini, their list, and their details ("List Symbols", "Get Symbol Details")."""

from __future__ import annotations

import re

from foxtrot_workers.exchanges.gemini.constants import QUOTES, SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.gemini.messages import SymbolDetails, decode_symbols

__all__ = ["instrument_of", "is_possible_symbol", "parse_instruments"]

_SYMBOL = re.compile(r"[A-Za-z0-9]+", re.ASCII)

_PERPETUAL = "PERP"


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can name an instrument."""
    return len(symbol) <= SYMBOL_CHARS_MAX and _SYMBOL.fullmatch(symbol) is not None


def instrument_of(symbol: str) -> str:
    """Return BASE-QUOTE or BASE-QUOTE-PERP as `symbol` says it; `symbol` itself if it has no known form."""
    name = symbol.upper()
    pair = name.removesuffix(_PERPETUAL)
    quote = next((quote for quote in QUOTES if pair.endswith(quote) and pair != quote), None)
    if quote is None:
        return symbol
    made = f"{pair.removesuffix(quote)}-{quote}"
    return made if pair == name else f"{made}-{_PERPETUAL}"


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE[-PERP] of each symbol of a list, or of the one symbol of an answer with details.

    Raises `msgspec.DecodeError`.
    """
    answer = decode_symbols(body)
    if isinstance(answer, SymbolDetails):
        return {answer.symbol: _name(answer)}
    return {symbol: instrument_of(symbol) for symbol in answer}


def _name(details: SymbolDetails) -> str:
    name = f"{details.base}-{details.quote}"
    return f"{name}-{_PERPETUAL}" if details.symbol.upper().endswith(_PERPETUAL) else name
