"""Symbols of KuCoin, and its lists of instruments ("Get All Symbols" of spot and of futures)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from foxtrot_workers.exchanges.kucoin.constants import MONTHS, SUCCESS_CODE, SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.kucoin.messages import ListedSymbol, decode_instruments

__all__ = ["contract_of", "is_possible_symbol", "parse_instruments"]

_BREAKING = set(" ,:/?&#%@\"'\\")
"""Characters that would break a topic or a query."""

_PERPETUAL = re.compile(r"(?P<base>[A-Z0-9]+?)(?P<quote>USDT|USDC|USD)M")


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can stand in a topic and a query."""
    return 0 < len(symbol) <= SYMBOL_CHARS_MAX and symbol.isprintable() and not set(symbol) & _BREAKING


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE[-…] by symbol, from a list of instruments. Raises `msgspec.DecodeError`."""
    answer = decode_instruments(body)
    if answer.code != SUCCESS_CODE or answer.data is None:
        raise msgspec.ValidationError(f"{answer.code}: {answer.msg}"[:200])
    return {listed.symbol: _name_of(listed) for listed in answer.data}


def contract_of(symbol: str) -> str:
    """Return BASE-QUOTE-PERP of a perpetual contract, ``XBTUSDTM``; `symbol` itself if it has another form."""
    match = _PERPETUAL.fullmatch(symbol)
    return symbol if match is None else f"{_currency(match['base'])}-{match['quote']}-PERP"


def _name_of(listed: ListedSymbol) -> str:
    name = f"{_currency(listed.base)}-{listed.quote}"
    if listed.is_contract is None:
        return f"{listed.base}-{listed.quote}"
    if listed.expires is None:
        return f"{name}-PERP"
    due = datetime.fromtimestamp(listed.expires / 1000, UTC)
    return f"{name}-{due:%y}{MONTHS[due.month - 1]}{due:%d}"


def _currency(name: str) -> str:
    """Return the usual name of a currency: contracts call bitcoin XBT."""
    return "BTC" if name == "XBT" else name
