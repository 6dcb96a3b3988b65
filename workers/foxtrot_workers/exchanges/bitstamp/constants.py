"""What Bitstamp's documents say: channels, limits, paths, error codes. Data only.

Sources: Bitstamp "WebSocket API v2" (channels, messages) and "HTTP API" (REST).
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "BOOK_CHANNELS",
    "BOOK_PATH",
    "CHANNELS",
    "FACTS",
    "HISTORY_PATH",
    "INSTRUMENTS_PATH",
    "LIMITS",
    "MS",
    "NEVER_CODES",
    "REASON_CHARS",
    "SYMBOL_CHARS_MAX",
    "TICKER_PATH",
    "US",
    "S",
]

US = 1_000
MS = 1_000_000
S = 1_000_000_000
"""Nanoseconds in a microsecond, a millisecond and a second."""

# ---- channels

CHANNELS = {
    "trade": "live_trades_",
    "book": "diff_order_book_",
    "book100": "order_book_",
    "funding": "funding_rate_",
}
"""Configuration channel to the beginning of the exchange's; the market follows."""

BOOK_CHANNELS = frozenset({"book", "book100"})

BOOK_PATH = "/api/v2/order_book/"
HISTORY_PATH = "/api/v2/transactions/"
TICKER_PATH = "/api/v2/ticker/"
INSTRUMENTS_PATH = "/api/v2/markets/"

# ---- limits

LIMITS = Limits(  # sources: FACTS
    silence_s=45.0,
    ping_text='{"event":"bts:heartbeat"}',
    ping_idle_s=20.0,
    send_interval_s=0.1,
    topics_max=200,
    topics_per_request=1,
    lifetime_s=90 * 24 * 3600.0,
    rest_weight=Budget(16, 1.0),
    stale_channel_s={"book": 120.0, "book100": 120.0},
)

# ---- refusals

NEVER_CODES = frozenset({4009})
"""Errors that no retry changes: not authorized. All others are retried later."""

# ---- bounds of ours

REASON_CHARS = 200
"""Characters of an error's text that are passed on."""

ADOPTED_MAX = 10_000
"""Topics, and books, adopted in replay."""

SYMBOL_CHARS_MAX = 64

# ---- facts for people, and the sources of the limits

FACTS = VenueFacts(
    title="Bitstamp",
    documentation="Bitstamp: WebSocket API v2, HTTP API",
    keep_alive="The worker sends `bts:heartbeat` after 20 s of silence; the exchange answers it",
    closes="Message `bts:request_reconnect`, then within seconds",
    books={
        "book": BookFacts(snapshot="rest", order="microtimestamp rises: order is certain, a loss cannot be seen"),
        "book100": BookFacts(snapshot="every", levels=100),
    },
    backfill={"trade": "the trades of the last hour"},
    remarks={
        "book": "There is no sequence: `book100` heals itself, and is better unless its depth is too small",
        "funding": "Perpetuals only, such as btcusd-perp",
    },
    absent={
        "quote": "the first level of `book100`",
        "ticker": "offered by REST only",
        "bar": "offered by REST only",
        "open_interest": "not offered",
        "mark_price": "offered by REST only",
        "liquidation": "not offered",
    },
    sources={
        "silence_s": "ours: a heartbeat that was asked for after 20 s, with a margin",
        "ping_text": "WebSocket API v2, Heartbeat",
        "ping_idle_s": "ours: leaves time for the answer",
        "send_interval_s": "ours: not stated",
        "topics_max": "ours: not stated",
        "topics_per_request": "WebSocket API v2, Subscriptions: a request names one channel",
        "lifetime_s": "WebSocket API v2, Forced reconnection: 90 days at most",
        "rest_weight": "HTTP API, Request limits: 10,000 in 10 minutes, 400 a second",
        "stale_channel_s": "ours: books are sent while they change",
        "keep_alive": "WebSocket API v2, Heartbeat",
        "closes": "WebSocket API v2, Forced reconnection",
        "books": "WebSocket API v2, Live order book, Live full order book",
        "backfill": "HTTP API, Transactions",
    },
)
