"""What Hyperliquid's documents say: channels, limits, refusals. Data only.

Sources: Hyperliquid documents, "Websocket" ("Subscriptions", "Timeouts and heartbeats"), "Rate limits and user limits".
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "ALREADY_TEXT",
    "BOOK_CHANNELS",
    "CHANNELS",
    "CONTEXT_CHANNELS",
    "CONTEXT_KIND",
    "FACTS",
    "FAST_BOOK_KIND",
    "GREETING",
    "INTERVALS",
    "KINDS",
    "LIMITS",
    "MS",
    "NEVER_TEXTS",
    "SYMBOL_CHARS_MAX",
    "URL",
]

MS = 1_000_000
"""Nanoseconds in a millisecond."""

URL = "wss://api.hyperliquid.xyz/ws"

# ---- channels

INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M")
"""Intervals of bars ("Subscriptions", ``candle``)."""

CONTEXT_KIND = "activeAssetCtx"
CONTEXT_CHANNELS = frozenset({"ticker", "funding", "mark_price", "open_interest"})
"""Channels that one topic carries together, the context of an asset."""

FAST_BOOK_KIND = "l2Book+fast"
"""Ours: ``l2Book`` with the option ``fast``."""

CHANNELS = {
    "trade": "trades",
    "quote": "bbo",
    "book": "l2Book",
    "book_fast": FAST_BOOK_KIND,
    **dict.fromkeys(sorted(CONTEXT_CHANNELS), CONTEXT_KIND),
    **{f"bar_{interval}": f"candle.{interval}" for interval in INTERVALS},
}
"""Configuration channel to the kind of a subscription; that of bars has its interval."""

BOOK_CHANNELS = frozenset({"book", "book_fast"})

KINDS = {"activeSpotAssetCtx": CONTEXT_KIND}
"""Channel of a frame to the kind of its subscription, where the two differ."""

# ---- limits

LIMITS = Limits(  # sources: FACTS
    silence_s=50.0,
    ping_text='{"method":"ping"}',
    ping_idle_s=20.0,
    send_interval_s=0.05,
    topics_max=1000,
    topics_per_request=1,
    connects=Budget(30, 60.0),
    stale_channel_s={
        **dict.fromkeys(sorted(BOOK_CHANNELS), 30.0),
        **dict.fromkeys(sorted(CONTEXT_CHANNELS), 60.0),
    },
)

# ---- facts for people, and the sources of the limits

FACTS = VenueFacts(
    title="Hyperliquid",
    documentation="Hyperliquid documents: API, Websocket",
    keep_alive='The worker sends `{"method":"ping"}` after 20 s of silence; the exchange closes after 60 s',
    testnet_url="wss://api.hyperliquid-testnet.xyz/ws",
    messages=Budget(2000, 60.0),
    books={
        "book": BookFacts(snapshot="every", levels=20),
        "book_fast": BookFacts(snapshot="every", levels=5),
    },
    remarks={
        "trade": "The first message of each coin has its latest trades before the subscription",
        "book": "With each block, at least half a second apart",
        "book_fast": "More often, with fewer levels",
        "ticker": "Volumes, and the price a day ago; without a time of the exchange",
        "funding": "The hourly rate; perpetuals only",
        "open_interest": "Perpetuals only",
        "bar": "Closed by the first message about the next bar: the exchange does not say when a bar is closed",
    },
    absent={
        "liquidation": "not published for all users",
        "index": "oracle prices are part of the context of an asset",
        "backfill": "REST has only the few newest trades",
    },
    sources={
        "silence_s": "ours: a ping after 20 s is answered",
        "ping_text": "Timeouts and heartbeats",
        "ping_idle_s": "Timeouts and heartbeats: closed when nothing was sent to the client for 60 s",
        "send_interval_s": "ours: below 2,000 messages a minute for one address",
        "topics_per_request": "Subscriptions: a list of coins is ignored without an error",
        "connects": "Rate limits and user limits: new connections of one address",
        "stale_channel_s": "Subscriptions: push conditions of each kind, with a margin",
        "keep_alive": "Timeouts and heartbeats",
        "testnet_url": "Websocket",
        "messages": "Rate limits and user limits: of one address",
        "books": "Subscriptions: l2Book",
    },
)

# ---- what is said in text

GREETING = b"Websocket connection established."
"""The first frame of some connections: it is not JSON."""

ALREADY_TEXT = "Already subscribed"

NEVER_TEXTS = ("Invalid subscription", "Error parsing JSON")
"""Beginnings of refusals that no retry changes. All others are retried later."""

# ---- bounds of ours

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

SYMBOL_CHARS_MAX = 64
