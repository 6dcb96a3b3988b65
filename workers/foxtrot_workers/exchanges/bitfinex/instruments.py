"""Instrument names of Bitfinex, and its instrument lists ("Configs")."""

from __future__ import annotations

import re
from collections.abc import Sequence

from foxtrot_workers.exchanges.bitfinex.constants import SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.bitfinex.messages import decode_list

__all__ = ["instrument_of", "instruments_path", "is_derivative", "is_possible_symbol", "parse_instruments"]

_SYMBOL = re.compile(r"t[A-Z0-9]+(:[A-Z0-9]+)?", re.ASCII)

_LIST_PATH = "/v2/conf/pub:list:pair:"

_TETHER = {"UST": "USDT"}
"""Currencies that have another name elsewhere."""


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can name a pair: ``tBTCUSD``, ``tAVAX:USD``, ``tBTCF0:USTF0``."""
    return 6 <= len(symbol) <= SYMBOL_CHARS_MAX and _SYMBOL.fullmatch(symbol) is not None


def is_derivative(symbol: str) -> bool:
    """Return whether `symbol` is a perpetual contract."""
    return symbol.endswith("F0")


def instruments_path(symbols: Sequence[str]) -> str | None:
    """Return the REST path of the list that has all of `symbols`; None if they are in different lists."""
    kinds = {is_derivative(symbol) for symbol in symbols}
    if len(kinds) > 1:
        return None
    return _LIST_PATH + ("futures" if kinds == {True} else "exchange")


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return `instrument_of` each pair of a list, by its symbol. Raises `msgspec.DecodeError`."""
    return {f"t{pair}": instrument_of(f"t{pair}") for pairs in decode_list(body) for pair in pairs}


def instrument_of(symbol: str) -> str:
    """Return BASE-QUOTE[-PERP]; `symbol` itself if it has no known form. ``UST`` is Tether."""
    if not is_possible_symbol(symbol):
        return symbol
    pair = symbol[1:]
    base, colon, quote = pair.partition(":")
    if not colon:
        base, quote = pair[:-3], pair[-3:]
    if is_derivative(symbol):
        return f"{_named(base.removesuffix('F0'))}-{_named(quote.removesuffix('F0'))}-PERP"
    return f"{_named(base)}-{_named(quote)}"


def _named(currency: str) -> str:
    return _TETHER.get(currency, currency)
