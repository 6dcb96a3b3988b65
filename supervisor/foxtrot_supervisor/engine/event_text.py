"""Market events as one line of text for people. Pure."""

from __future__ import annotations

from typing import Any

from foxtrot_protocol.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Funding,
    Gap,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)

__all__ = ["event_text"]


def event_text(event: Any) -> str:
    """Return kind, symbol and content of an event, such as ``trade BTCUSDT.BINANCE buy 0.5 at 100.10``."""
    kind, content = _described(event)
    return f"{kind} {event.symbol}.{event.exchange} {content}".rstrip()


def _described(event: Any) -> tuple[str, str]:
    match event:
        case Trade():
            return "trade", f"{event.side} {event.size} at {event.price}"
        case Quote():
            return "quote", _best(event)
        case BookSnapshot():
            return "book", f"snapshot: {_side(event.bids, 'bids')}, {_side(event.asks, 'asks')}"
        case BookDelta():
            return "book", f"update: {len(event.bids)} bids, {len(event.asks)} asks changed"
        case Ticker():
            return "ticker", f"last {event.last}, {_best(event)}" if event.bid is not None else f"last {event.last}"
        case Bar():
            state = "closed" if event.closed else "so far"
            prices = f"open {event.open} high {event.high} low {event.low} close {event.close}"
            return "bar", f"{event.interval} {state}: {prices} volume {event.volume}"
        case Funding():
            return "funding", f"rate {event.rate}"
        case MarkPrice():
            return "mark price", f"{event.price}"
        case OpenInterest():
            return "open interest", f"{event.size}"
        case Liquidation():
            return "liquidation", f"{event.side} {event.size} at {event.price}"
        case FeedStatus():
            return "topic", f"{event.topic} is {event.state}"
        case Gap():
            ids = "" if event.first_id is None else f" {event.first_id} to {event.last_id}"
            return "gap", f"{'filled' if event.filled else 'announced'}: {event.stream or 'any stream'}{ids}"
        case _:
            return type(event).__name__, ""


def _best(event: Any) -> str:
    return f"bid {_level(event.bid, event.bid_size)}, ask {_level(event.ask, event.ask_size)}"


def _level(price: object, size: object) -> str:
    if price is None:
        return "none"
    return f"{price}" if size is None else f"{price} x {size}"


def _side(levels: list[tuple[Any, Any]], name: str) -> str:
    return f"{len(levels)} {name} from {levels[0][0]}" if levels else f"no {name}"
