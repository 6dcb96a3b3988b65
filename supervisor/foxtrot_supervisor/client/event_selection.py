"""Selection of live events by type and symbol, and their conversion to lines of JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from foxtrot_protocol.event_lines import BookView, live_line
from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_FEED_STATUS,
    EVENT_FUNDING,
    EVENT_GAP,
    EVENT_LIQUIDATION,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    EVENT_OPEN_INTEREST,
    EVENT_TICKER,
    EVENT_TYPES,
    MarketEvent,
)
from foxtrot_protocol.framing import Batch

__all__ = ["KINDS", "EventSelection", "event_type"]

KINDS = {
    "trade": EVENT_MARKET_TRADE,
    "quote": EVENT_BBO,
    "book": EVENT_BOOK,
    "ticker": EVENT_TICKER,
    "candle": EVENT_BAR,
    "funding": EVENT_FUNDING,
    "mark_price": EVENT_MARK_PRICE,
    "open_interest": EVENT_OPEN_INTEREST,
    "liquidation": EVENT_LIQUIDATION,
    "status": EVENT_FEED_STATUS,
    "gap": EVENT_GAP,
}
"""The event type of each ``kind`` of line."""


def event_type(word: str) -> str:
    """Return the event type for a kind (``trade``) or a type (``eMarketTrade.``); raises ValueError for other words."""
    for kind, name in KINDS.items():
        if word in (kind, name, name.rstrip(".")):
            return name
    raise ValueError(f"{word} is not an event type; known: {', '.join(f'{k} ({n})' for k, n in KINDS.items())}")


class EventSelection:
    """Selects events by type and symbol and makes a line of each; folds books if `depth` is given.

    `types`, `symbols`: empty: all; ``BTCUSDT`` matches at any exchange, ``BTCUSDT.BINANCE`` at one. Batches published
    before `since_ns` (Unix time in nanoseconds) give no lines, but their books are folded. `instrument` returns
    BASE-QUOTE for exchange and symbol.
    """

    def __init__(
        self,
        instrument: Callable[[str, str], str],
        *,
        types: Sequence[str] = (),
        symbols: Sequence[str] = (),
        depth: int | None = None,
        since_ns: int = 0,
    ) -> None:
        self._instrument = instrument
        self._types = frozenset(types)
        self._symbols = frozenset(symbols)
        self._view = BookView(depth) if depth is not None else None
        self._since_ns = since_ns

    def lines(self, batch: Batch[str]) -> list[dict[str, Any]]:
        """Return the lines of the selected events in `batch`."""
        lines = [self._line(event, batch.publish_ns) for event in batch.events if self._wanted(event)]
        return lines if batch.publish_ns >= self._since_ns else []

    def _wanted(self, event: MarketEvent[str]) -> bool:
        if self._types and EVENT_TYPES[type(event)] not in self._types:
            return False
        return not self._symbols or event.symbol in self._symbols or f"{event.symbol}.{event.exchange}" in self._symbols

    def _line(self, event: MarketEvent[str], publish_ns: int) -> dict[str, Any]:
        line = live_line(event, self._instrument(event.exchange, event.symbol), self._view)
        line["publish_ns"] = event.publish_ns or publish_ns
        return line
