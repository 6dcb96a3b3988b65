"""The instruments of the simulated market: names, grids and start prices, derived from symbol and seed.

Any symbol is accepted. Well-known ones start near a price people recognize, others at one drawn from the seed.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random

from msgspec import Struct

__all__ = ["DECIMALS", "Instrument", "decimal_text", "fixed_text", "make_instrument", "split_symbol", "trimmed_text"]

DECIMALS = 8
"""Digits after the point in every number on the wire, as Binance sends them."""

_SCALE = 10**DECIMALS

_TEXTS_MAX = 32_768
"""Cached texts of numbers: prices near the top and round sizes repeat."""

_QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "GBP", "TRY", "BTC", "ETH", "BNB")

_KNOWN_PRICES = {"BTC": 60_000.0, "ETH": 3_000.0, "BNB": 600.0, "SOL": 150.0, "LTC": 80.0, "XRP": 0.5, "DOGE": 0.15}

_PRICE_TICKS_MIN = 10_000
"""The tick is chosen so that the start price has at least this many ticks, far from zero."""


class Instrument(Struct, frozen=True, kw_only=True):
    """One symbol: prices are whole numbers of ticks, sizes whole numbers of lots."""

    symbol: str
    """Base and quote in one word; exchanges write them in their own ways."""
    base: str
    quote: str
    price_decimals: int
    """A tick is 10 ** -price_decimals."""
    size_decimals: int
    """A lot is 10 ** -size_decimals."""
    start_ticks: int
    lots_typical: int
    price_scale: int
    """Ticks times this are units of 1e-8."""
    size_scale: int
    """Lots times this are units of 1e-8."""


@lru_cache(maxsize=_TEXTS_MAX)
def decimal_text(units: int) -> str:
    """Return `units` of 1e-8 as the exchange writes them: always with eight decimals."""
    if units < 0:
        return "-" + decimal_text(-units)
    return f"{units // _SCALE}.{units % _SCALE:08d}"


@lru_cache(maxsize=_TEXTS_MAX)
def fixed_text(units: int, decimals: int) -> str:
    """Return `units` of 10 ** -decimals with exactly so many digits after the point."""
    if not decimals:
        return str(units)
    scale = 10**decimals
    return f"{units // scale}.{units % scale:0{decimals}d}"


@lru_cache(maxsize=_TEXTS_MAX)
def trimmed_text(units: int, decimals: int) -> str:
    """Return `units` of 10 ** -decimals without zeros at the end."""
    text = fixed_text(units, decimals)
    return text.rstrip("0").rstrip(".") if decimals else text


def split_symbol(symbol: str) -> tuple[str, str]:
    """Return base and quote of a symbol such as ``BTCUSDT``; an unknown quote is the last three letters."""
    for quote in _QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)], quote
    return (symbol[:-3], symbol[-3:]) if len(symbol) > 3 else (symbol, "USDT")


def make_instrument(symbol: str, seed: int) -> Instrument:
    """Return the instrument of `symbol`, the same for the same seed. Raises `ValueError` for an impossible name."""
    if not symbol.isalnum() or len(symbol) > 32:
        raise ValueError(f"not a symbol: {symbol!r} (letters of any script and digits, at most 32)")
    symbol = symbol.upper()
    base, quote = split_symbol(symbol)
    random = Random(f"{seed}:{symbol}")
    price = _KNOWN_PRICES.get(base) or 10.0 ** (random.random() * 4.0 - 1.0)
    price *= 0.95 + 0.1 * random.random()
    price_decimals = 2
    while price * 10**price_decimals < _PRICE_TICKS_MIN and price_decimals < DECIMALS:
        price_decimals += 1
    size_decimals = 5 if price >= 1_000 else 3 if price >= 10 else 1
    return Instrument(
        symbol=symbol,
        base=base,
        quote=quote,
        price_decimals=price_decimals,
        size_decimals=size_decimals,
        start_ticks=int(price * 10**price_decimals),
        lots_typical=max(1, int(2_000.0 / price * 10**size_decimals)),
        price_scale=10 ** (DECIMALS - price_decimals),
        size_scale=10 ** (DECIMALS - size_decimals),
    )
