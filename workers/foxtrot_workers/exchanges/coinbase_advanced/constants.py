"""What Coinbase's documents say of Advanced Trade: channels, limits, refusals. Data only.

Sources: Coinbase Developer Platform, "Advanced Trade WebSocket" (overview, channels, rate limits) and its AsyncAPI
file, "Advanced Trade REST API" (public market data).
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "BAR_INTERVAL",
    "BOOK_PATH",
    "CHANNELS",
    "FACTS",
    "HEARTBEATS",
    "HISTORY_MARGIN_S",
    "HISTORY_TRADES",
    "LIMITS",
    "NEVER_REASONS",
    "PRODUCTS_PATH",
    "PRODUCT_CHARS_MAX",
    "STALE_CHANNEL_S",
]

# ---- channels

BAR_INTERVAL = "5m"
"""The only interval of bars ("Candles Channel")."""

CHANNELS = {
    "trade": "market_trades",
    "ticker": "ticker",
    "book": "level2",
    f"bar_{BAR_INTERVAL}": "candles",
}
"""Configuration channel to the exchange's. Frames of ``level2`` call it ``l2_data``."""

HEARTBEATS = "heartbeats"
"""A message each second, which keeps channels without data open ("Heartbeats Channel")."""

# ---- limits

STALE_CHANNEL_S = {"book": 120.0}
"""Seconds without data after which a topic of this channel is stale. Tickers, trades and bars follow trades, and may
rest for hours."""

LIMITS = Limits(  # sources: FACTS
    silence_s=5.0,
    send_interval_s=0.15,
    topics_max=200,
    topics_per_request=50,
    connects=Budget(8, 1.0),
    rest_weight=Budget(8, 1.0),
    stale_channel_s=STALE_CHANNEL_S,
)

PRODUCTS_PATH = "/api/v3/brokerage/market/products"
BOOK_PATH = "/api/v3/brokerage/market/product_book"

HISTORY_TRADES = 1_000
"""Past trades in one answer, at most ("Get Public Market Trades")."""
HISTORY_MARGIN_S = 5
"""Seconds before the last trade was received from which past trades are requested: it happened a little earlier."""

# ---- facts for people, and the sources of the limits

FACTS = VenueFacts(
    title="Coinbase Advanced Trade",
    documentation="Coinbase Developer Platform: Advanced Trade WebSocket, Advanced Trade REST API",
    keep_alive="The worker subscribes to heartbeats, sent each second",
    closes="A connection without a subscription within 5 s is closed, a channel after 60 to 90 s without data",
    messages=Budget(8, 1.0),
    books={"book": BookFacts(snapshot="stream", order="sequence_num of the connection = previous + 1")},
    backfill={"trade": "1,000 trades a request, before a time"},
    remarks={
        "trade": "A connection begins with past trades",
        "ticker": "At each trade, with the best bid and ask at that moment",
        "book": "A message that is missing, of any channel, resynchronizes all books of its connection",
        "bar": "Each second while it runs; closed once a later bar has come in the same message",
    },
    absent={
        "quote": "the ticker has the best bid and ask at each trade; no public stream has each change of them",
        "funding": "no such channel",
        "mark_price": "no such channel",
        "open_interest": "no such channel",
        "liquidation": "no such channel",
    },
    sources={
        "silence_s": "Heartbeats Channel: one each second; five of them missed",
        "send_interval_s": "Advanced Trade WebSocket Rate Limits, with a margin",
        "topics_max": "ours: a missing message makes all books of a connection suspect, so it has few",
        "topics_per_request": "ours; a request with an unknown product is refused as a whole",
        "connects": "Advanced Trade WebSocket Rate Limits: for one address",
        "rest_weight": "Advanced Trade REST Rate Limits: 10 public requests in a second for one address, with a margin",
        "stale_channel_s": "ours: books of quiet products rest for minutes; all else follows trades",
        "keep_alive": "Heartbeats Channel",
        "closes": "WebSocket Overview; WebSocket Channels",
        "messages": "Advanced Trade WebSocket Rate Limits: unauthenticated, for one address",
        "books": "Level2 Channel; Sequence Numbers",
        "backfill": "Get Public Market Trades",
    },
)

# ---- refusals

NEVER_REASONS = ("authentication", "not a valid", "invalid", "unknown", "unsupported", "delisted", "malformed")
"""Parts of refusals, in lower case, that no retry changes: a product or channel that does not exist, or needs a login.
All others are retried later."""

# ---- bounds of ours

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

PRODUCT_CHARS_MAX = 64
