"""Instrument names of HTX, and its instrument lists ("Get all Supported Trading Symbol", "Query Swap Info")."""

from __future__ import annotations

import re
from collections.abc import Sequence

from foxtrot_workers.exchanges.huobi.constants import SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.huobi.messages import decode_contracts, decode_symbols

__all__ = [
    "contracts_path",
    "is_coin_margined",
    "is_possible_symbol",
    "parse_contracts",
    "parse_symbols",
    "spot_instrument",
    "swap_instrument",
]

_SYMBOL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)

_QUOTES = ("usdt", "usdd", "usdc", "tusd", "husd", "btc", "eth", "trx", "eur", "try", "brl", "uah", "rub", "ht", "usd")
"""Currencies that spot symbols end with: used to split a symbol where no instrument list is at hand."""

_MONTHS = "FGHJKMNQUVXZ"


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can name an instrument."""
    return len(symbol) <= SYMBOL_CHARS_MAX and _SYMBOL.fullmatch(symbol) is not None


def is_coin_margined(symbol: str) -> bool:
    """Return whether a swap is coin-margined: ``BTC-USD``, where USDT-margined ones are ``BTC-USDT[-…]``."""
    return symbol.upper().endswith("-USD")


def contracts_path(symbols: Sequence[str]) -> str | None:
    """Return the REST path of the list that has all of `symbols`; None if they are in different lists."""
    kinds = {is_coin_margined(symbol) for symbol in symbols}
    if len(kinds) > 1:
        return None
    return "/swap-api/v1/swap_contract_info" if kinds == {True} else "/linear-swap-api/v1/swap_contract_info"


def parse_symbols(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE of each symbol of the spot list. Raises `msgspec.DecodeError`."""
    return {row.symbol: f"{row.base.upper()}-{row.quote.upper()}" for row in decode_symbols(body).data}


def parse_contracts(body: bytes) -> dict[str, str]:
    """Return `swap_instrument` of each contract of a list. Raises `msgspec.DecodeError`."""
    return {row.code: swap_instrument(row.code) for row in decode_contracts(body).data}


def spot_instrument(symbol: str) -> str:
    """Split `symbol` at the quote currency that it ends with; `symbol` itself in capitals if it ends with none."""
    for quote in _QUOTES:
        base = symbol.lower().removesuffix(quote)
        if base and base != symbol.lower():
            return f"{base.upper()}-{quote.upper()}"
    return symbol.upper() or symbol


def swap_instrument(symbol: str) -> str:
    """Return ``BTC-USD-PERP`` for ``BTC-USD``, ``BTC-USDT-22G18`` for the delivery contract ``BTC-USDT-220218``."""
    parts = symbol.split("-")
    if len(parts) == 2:
        return f"{symbol}-PERP"
    if len(parts) == 3 and re.fullmatch(r"[0-9]{6}", parts[2], re.ASCII) and 1 <= int(parts[2][2:4]) <= 12:
        year, month, day = parts[2][:2], int(parts[2][2:4]), parts[2][4:]
        return f"{parts[0]}-{parts[1]}-{year}{_MONTHS[month - 1]}{day}"
    return symbol
