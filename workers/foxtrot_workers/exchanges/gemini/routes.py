"""Which parser a frame needs, told by its first key, or by the keys that only one kind of frame has."""

from __future__ import annotations

from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.exchanges.gemini.messages import OtherMessage
from foxtrot_workers.exchanges.gemini.parsers import Parsers

__all__ = ["by_first_key", "by_keys"]


def by_first_key(parsers: Parsers) -> dict[bytes, Parser]:
    """Return the parsers by the first five bytes of frames, as the exchange writes them."""
    return {b'{"e":': parsers.parse_depth, b'{"u":': parsers.parse_quote, b'{"E":': parsers.parse_trade}


def by_keys(parsers: Parsers, other: OtherMessage) -> Parser | None:
    """Return the parser of a frame by the keys that it has; None if it is none of them."""
    if other.event == "depthUpdate":
        return parsers.parse_depth
    if other.trade_id is not None:
        return parsers.parse_trade
    return None if other.bid_size is None else parsers.parse_quote
