"""Which parser a frame needs, told by its first bytes: every frame begins with its channel."""

from __future__ import annotations

from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.exchanges.coinbase_advanced.parsers import Parsers

__all__ = ["by_beginning", "by_channel"]


def by_channel(parsers: Parsers) -> dict[str, Parser]:
    """Return the parsers by the channel of frames."""
    return {
        "l2_data": parsers.parse_books,
        "market_trades": parsers.parse_trades,
        "ticker": parsers.parse_tickers,
        "candles": parsers.parse_candles,
    }


def by_beginning(parsers: Parsers) -> dict[bytes, Parser]:
    """Return the parsers by the beginning of frames, up to the end of the channel."""
    return {b'{"channel":"%b"' % name.encode(): parser for name, parser in by_channel(parsers).items()}
