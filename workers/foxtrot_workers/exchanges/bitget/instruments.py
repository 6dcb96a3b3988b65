"""Symbols of Bitget, and its lists of instruments ("Get Symbol Info", "Get All Symbols - Contracts")."""

from __future__ import annotations

import msgspec

from foxtrot_workers.exchanges.bitget.constants import SUCCESS_CODE, SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.bitget.messages import ListedSymbol, decode_instruments

__all__ = ["contract_symbol", "instrument_of", "is_possible_symbol", "parse_instruments"]

_BREAKING = set(" ,:./?&#%@\"'\\{}")
"""Characters that would break a wire name or a query."""

_QUOTES = ("USDT", "USDC", "USD", "BTC", "ETH", "EUR", "BRL", "BGB")
"""Currencies that a symbol may end with, where no list of instruments is at hand."""


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can stand in a wire name and a query."""
    return 0 < len(symbol) <= SYMBOL_CHARS_MAX and symbol.isprintable() and not set(symbol) & _BREAKING


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE[-PERP] by symbol, from a list of spot symbols or contracts. Raises `msgspec.DecodeError`."""
    answer = decode_instruments(body)
    if answer.code != SUCCESS_CODE or answer.data is None:
        raise msgspec.ValidationError(f"{answer.code}: {answer.msg}"[:200])
    return {listed.name or listed.symbol: _name_of(listed) for listed in answer.data}


def instrument_of(symbol: str, *, contract: bool) -> str:
    """Return BASE-QUOTE, or BASE-QUOTE-PERP of a contract, split at the currency that `symbol` ends with.

    Contracts of v1 have a suffix, ``BTCUSDT_UMCBL``.
    """
    symbol, mark, _ = symbol.partition("_")
    contract = contract or bool(mark)
    if contract and symbol.endswith("PERP"):
        return f"{symbol.removesuffix('PERP')}-USDC-PERP"
    quote = next((each for each in _QUOTES if symbol.endswith(each) and len(symbol) > len(each)), "")
    if not quote:
        return symbol
    pair = f"{symbol.removesuffix(quote)}-{quote}"
    return f"{pair}-PERP" if contract else pair


def contract_symbol(symbol: str) -> str:
    """Return the name of a contract in v1's lists, ``BTCUSDT_UMCBL``, for its name on the stream."""
    if symbol.endswith("PERP"):
        return f"{symbol}_CMCBL"
    return f"{symbol}_DMCBL" if symbol.endswith("USD") else f"{symbol}_UMCBL"


def _name_of(listed: ListedSymbol) -> str:
    if listed.symbol_type == "delivery":
        return listed.symbol
    is_contract = bool(listed.symbol_type) or bytes(listed.is_contract) != b""
    return f"{listed.base}-{listed.quote}-PERP" if is_contract else f"{listed.base}-{listed.quote}"
