"""What Coinbase's documents say: channels, limits, refusals. Data only.

Sources: Coinbase Developer Platform, "Exchange WebSocket" (overview, channels, rate limits), "Exchange REST API".
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "BOOK_NAME",
    "CHANNELS",
    "FACTS",
    "HEARTBEAT",
    "HISTORY_TRADES",
    "LIMITS",
    "NEVER_REASONS",
    "OLD_BOOK_NAMES",
    "PRODUCTS_PATH",
    "PRODUCT_CHARS_MAX",
    "STALE_CHANNEL_S",
]

# ---- channels

BOOK_NAME = "level2_batch"
"""Changes of a book, collected for 50 ms ("Level2 Batch Channel"). ``level2`` itself needs a login."""

OLD_BOOK_NAMES = frozenset({"level2", "level2_50"})
"""What acknowledgements in recordings, and of logged-in clients, call the same messages."""

CHANNELS = {"trade": "matches", "ticker": "ticker", "book": BOOK_NAME}
"""Configuration channel to the exchange's."""

HEARTBEAT = "heartbeat"
"""A message each second for each product, which is subscribed with everything else: it shows that a quiet connection is
alive."""

# ---- limits

STALE_CHANNEL_S = {"book": 120.0}
"""Seconds without data after which a topic of this channel is stale. Tickers follow trades, and may rest for hours."""

LIMITS = Limits(  # sources: FACTS
    silence_s=5.0,
    send_interval_s=0.05,
    topics_max=500,
    topics_per_request=50,
    connects=Budget(8, 1.0),
    rest_weight=Budget(8, 1.0),
    stale_channel_s=STALE_CHANNEL_S,
)

PRODUCTS_PATH = "/products"

HISTORY_TRADES = 1_000
"""Past trades in one answer, at most ("Get product trades", "Pagination")."""

# ---- facts for people, and the sources of the limits

FACTS = VenueFacts(
    title="Coinbase Exchange",
    documentation="Coinbase Developer Platform: Exchange WebSocket, Exchange REST API",
    keep_alive="The worker subscribes to the heartbeat of each product, sent each second",
    closes="A connection without a subscription within 5 s is closed",
    testnet_url="wss://ws-feed-public.sandbox.exchange.coinbase.com",
    testnet_rest_url="https://api-public.sandbox.exchange.coinbase.com",
    messages=Budget(100, 1.0),
    books={"book": BookFacts(snapshot="stream", order="nothing tells: only a book that stays crossed is noticed")},
    backfill={"trade": "1,000 trades a request, before an id"},
    remarks={
        "trade": "A connection begins with the last trade before it",
        "ticker": "At each trade, with the best bid and ask at that moment",
        "book": "Changes of 50 ms in one message",
    },
    absent={
        "quote": "the ticker has the best bid and ask at each trade; no public stream has each change of them",
        "bar": "no such channel; see coinbase_advanced",
        "funding": "spot only",
        "mark_price": "spot only",
        "open_interest": "spot only",
        "liquidation": "spot only",
    },
    sources={
        "silence_s": "Heartbeat Channel: one each second; five of them missed",
        "send_interval_s": "Exchange WebSocket Rate Limits, with a margin",
        "topics_max": "ours; the products are many, and a slow connection is closed",
        "topics_per_request": "ours; a request with an unknown product is refused as a whole",
        "connects": "Exchange WebSocket Rate Limits: for one address",
        "rest_weight": "Exchange REST Rate Limits: 10 public requests in a second for one address, with a margin",
        "stale_channel_s": "ours: books of quiet products rest for minutes; tickers and trades for hours",
        "keep_alive": "Heartbeat Channel",
        "closes": "WebSocket Overview",
        "testnet_url": "WebSocket Overview: Sandbox",
        "testnet_rest_url": "Sandbox",
        "messages": "Exchange WebSocket Rate Limits: for one address",
        "books": "Level2 Channel, Level2 Batch Channel",
        "backfill": "Get product trades; Pagination",
    },
)

# ---- refusals

NEVER_REASONS = ("not a valid", "require authentication", "requires authentication", "unknown", "delisted", "malformed")
"""Parts of refusals that no retry changes: a product or channel that does not exist, or needs a login ("Errors"). All
others are retried later."""

# ---- bounds of ours

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

PRODUCT_CHARS_MAX = 64
