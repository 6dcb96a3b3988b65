"""What Gemini's documents say: streams, limits, refusal codes. Data only.

Sources: developer.gemini.com, "WebSocket" (introduction, stream reference, message format), "REST" (market data, rate
limits), and the archived pages of market data v1 and v2.
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "ARCHIVED_INTERVALS",
    "CHANNELS",
    "FACTS",
    "HISTORY_PATH",
    "HISTORY_TRADES",
    "INSTRUMENTS_PATH",
    "LATER_CODES",
    "LIMITS",
    "MS",
    "PING_ID",
    "QUOTES",
    "REASON_CHARS_MAX",
    "SNAPSHOT",
    "STALE_CHANNEL_S",
    "SYMBOL_CHARS_MAX",
]

MS = 1_000_000
"""Nanoseconds in a millisecond."""

# ---- channels

CHANNELS = {"trade": "{}@trade", "quote": "{}@bookTicker", "book": "{}@depth@100ms"}
"""Configuration channel to the exchange's stream, with a place for the symbol."""

ARCHIVED_INTERVALS = {"1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1h", "6h": "6h", "1d": "1d"}
"""Intervals of bars of market data v2, by the name in their messages."""

SNAPSHOT = "snapshot"
"""Parameter of the address: with -1 the first message of each book is the whole book."""

# ---- limits

STALE_CHANNEL_S = {"book": 60.0, "quote": 120.0}
"""Seconds without data after which a topic of this channel is stale. Trades may rest."""

PING_ID = "0"
"""Id of our pings; those of requests count from 1."""

LIMITS = Limits(  # sources: FACTS
    silence_s=60.0,
    ping_text='{"id":"0","method":"ping"}',
    ping_idle_s=15.0,
    ping_interval_s=30.0,
    send_interval_s=0.1,
    topics_max=500,
    topics_per_request=50,
    rest_weight=Budget(1, 1.0),
    stale_channel_s=STALE_CHANNEL_S,
)

INSTRUMENTS_PATH = "/v1/symbols"

HISTORY_PATH = "/v1/trades"
HISTORY_TRADES = 500
"""Past trades in one answer, at most ("List Trades")."""

# ---- facts for people, and the sources of the limits

_SPOT = "no such stream"

FACTS = VenueFacts(
    title="Gemini",
    documentation="developer.gemini.com: WebSocket, REST; archived market data v1 and v2 for recordings",
    keep_alive="The worker sends a ping request each 30 s",
    messages=Budget(),
    books={"book": BookFacts(snapshot="stream", order="U = previous u + 1")},
    backfill={"trade": "500 trades a request, from an id"},
    remarks={
        "book": "A lost book needs a new connection, where the first message is the whole book; no partial books, as "
        "their messages (depth5, depth10, depth20) do not name the symbol",
        "trade": "Trades of auctions and blocks in archived recordings have no taker, and are left out",
    },
    absent={
        "ticker": _SPOT,
        "bar": _SPOT,
        "funding": _SPOT,
        "mark_price": _SPOT,
        "open_interest": _SPOT,
        "liquidation": _SPOT,
    },
    sources={
        "silence_s": "ours: two pings without an answer",
        "ping_text": "Message Format: ping",
        "ping_idle_s": "ours",
        "ping_interval_s": "ours: nothing is stated",
        "send_interval_s": "ours: nothing is stated",
        "topics_max": "ours: nothing is stated",
        "topics_per_request": "ours",
        "rest_weight": "Rate Limits: 120 public requests in a minute, 1 in a second is advised",
        "stale_channel_s": "ours: quiet books rest for some time",
        "keep_alive": "ours: nothing is stated",
        "books": "Stream Reference",
        "backfill": "List Trades",
    },
)

# ---- refusals

LATER_CODES = frozenset({-1000, -1001, -1003, -1006, -1007, -1016})
"""Refusals that another attempt may change: unknown or internal errors, too many requests, time-outs ("Message
Format"). All others, such as -1013 (invalid parameters) and -1020 (not supported), no retry changes."""

# ---- bounds of ours

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

REASON_CHARS_MAX = 300

SYMBOL_CHARS_MAX = 64

# ---- symbols

QUOTES = ("GUSD", "USDT", "USDC", "RLUSD", "USD", "DAI", "EUR", "GBP", "SGD", "BTC", "ETH", "LTC", "BCH", "FIL", "SOL")
"""Quote currencies; a symbol ends with the first of them that fits."""
