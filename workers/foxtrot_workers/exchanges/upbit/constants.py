"""What Upbit's documents say: channels, limits, paths, error names. Data only.

Sources: Upbit developer centre: "WebSocket" guide, "Ticker", "Trade", "Orderbook", "Candle", "List Subscriptions",
"Connection Management", "Rate Limits".
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "BOOK_UNITS",
    "CHANNELS",
    "FACTS",
    "FORMAT",
    "INSTRUMENTS_PATH",
    "INTERVALS",
    "LIMITS",
    "MS",
    "NEVER_NAMES",
    "ORDERBOOK_PATH",
    "REASON_CHARS",
    "SYMBOL_CHARS_MAX",
    "TRADES_PATH",
]

MS = 1_000_000
"""Nanoseconds in a millisecond."""

# ---- channels

INTERVALS = {
    "1s": "1s",
    "1m": "1m",
    "3m": "3m",
    "5m": "5m",
    "10m": "10m",
    "15m": "15m",
    "30m": "30m",
    "1h": "60m",
    "4h": "240m",
}
"""Interval of bars to the exchange's ("Candle")."""

BOOK_UNITS = {"book": "", "book15": ".15", "book5": ".5", "quote": ".1"}
"""Channel of an order book to what follows the market's code: the number of units, 30 without it ("Orderbook")."""

CHANNELS = {
    "trade": "trade",
    "ticker": "ticker",
    **dict.fromkeys(BOOK_UNITS, "orderbook"),
    **{f"bar_{interval}": f"candle.{name}" for interval, name in INTERVALS.items()},
}
"""Configuration channel to the exchange's type."""

FORMAT = "DEFAULT"
"""Long names of fields. All requests of a connection must name the same format: the latest holds for all streams."""

INSTRUMENTS_PATH = "/v1/market/all"
TRADES_PATH = "/v1/trades/ticks"
ORDERBOOK_PATH = "/v1/orderbook"

# ---- limits

LIMITS = Limits(  # sources: FACTS
    silence_s=60.0,
    ping_text="PING",
    ping_idle_s=20.0,
    ping_interval_s=60.0,
    send_interval_s=0.7,
    topics_per_request=1000,
    connects=Budget(5, 1.0),
    rest_weight=Budget(10, 1.0),
    stale_channel_s={"book": 120.0, "book15": 120.0, "book5": 120.0, "quote": 120.0},
)

# ---- refusals

NEVER_NAMES = frozenset({"INVALID_AUTH", "WRONG_FORMAT", "NO_TICKET", "NO_TYPE", "NO_CODES", "INVALID_PARAM"})
"""Errors that no retry changes: the request is wrong ("WebSocket", errors). All others are retried later."""

# ---- bounds of ours

REASON_CHARS = 200
"""Characters of an error's text that are passed on."""

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

SYMBOL_CHARS_MAX = 64

# ---- facts for people, and the sources of the limits

FACTS = VenueFacts(
    title="Upbit",
    documentation="Upbit developer centre: WebSocket, Orderbook, List Subscriptions, Rate Limits",
    keep_alive="The worker sends the text `PING` each minute; the exchange closes after 120 s without one",
    books={
        "book": BookFacts(snapshot="every", levels=30),
        "book15": BookFacts(snapshot="every", levels=15),
        "book5": BookFacts(snapshot="every", levels=5),
    },
    messages=Budget(100, 60.0),
    remarks={
        "quote": "The first unit of the order book; needs a connection without other book channels",
        "ticker": "Opening, highest and lowest price are those of the day, volumes of 24 hours",
        "bar": "Nothing says that a bar is closed",
    },
    absent={
        "funding": "spot only",
        "mark_price": "spot only",
        "open_interest": "spot only",
        "liquidation": "spot only",
    },
    sources={
        "silence_s": "Connection Management: after a `PING` a status comes each 10 s; several missed",
        "ping_text": "Connection Management",
        "ping_idle_s": "ours: leaves time for the answer",
        "ping_interval_s": "Connection Management: closed after 120 s without a message",
        "send_interval_s": "ours: below 100 messages a minute",
        "topics_per_request": "WebSocket: one request names all topics of a connection",
        "connects": "Rate Limits: for one address",
        "rest_weight": "Rate Limits: quotation requests, by group",
        "stale_channel_s": "ours: books are sent while they change",
        "keep_alive": "Connection Management",
        "books": "Orderbook",
        "messages": "Rate Limits: 5 a second, 100 a minute",
    },
)
