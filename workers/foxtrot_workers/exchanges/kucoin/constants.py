"""What KuCoin's documents say: channels, limits, request weights, refusal codes. Data only.

Sources: KuCoin documentation, "WebSocket API" (introduction, public channels of spot and futures), "REST API" (market
data), "Rate Limit"; announcement of 8 June 2026 (books of 500 levels).
"""

from __future__ import annotations

from msgspec import structs

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ACCESS_PATH",
    "ACCESS_WEIGHT",
    "ADOPTED_MAX",
    "BOOK_CHANNELS",
    "FACTS",
    "FACTS_FUTURES",
    "FUTURES_TOPICS",
    "INTERVALS",
    "LIMITS",
    "LIMITS_FUTURES",
    "LIMITS_UNIFIED",
    "MONTHS",
    "MS",
    "NEVER_CODES",
    "PARTIAL_BOOK_CHANNELS",
    "PING_INTERVAL_S_MAX",
    "PING_INTERVAL_S_MIN",
    "SECOND",
    "SHARED_CHANNELS",
    "SPOT_TOPICS",
    "SUCCESS_CODE",
    "SYMBOLS_PER_REQUEST_MAX",
    "SYMBOL_CHARS_MAX",
    "UNIFIED_CHANNEL",
    "UNIFIED_DEPTH",
]

MS = 1_000_000
SECOND = 1_000_000_000
"""Nanoseconds in a millisecond and in a second."""

# ---- channels

INTERVALS = {
    **{f"{count}m": f"{count}min" for count in (1, 3, 5, 15, 30)},
    **{f"{count}h": f"{count}hour" for count in (1, 2, 4, 6, 8, 12)},
    "1d": "1day",
    "1w": "1week",
}
"""Interval of bars to the exchange's ("Klines")."""

_BARS = [(f"bar_{interval}", suffix) for interval, suffix in INTERVALS.items()]

SPOT_TOPICS: dict[str, tuple[str, str]] = {
    "trade": ("/market/match:", ""),
    "quote": ("/spotMarket/level1:", ""),
    "book": ("/market/level2:", ""),
    "book5": ("/spotMarket/level2Depth5:", ""),
    "book50": ("/spotMarket/level2Depth50:", ""),
    "ticker": ("/market/ticker:", ""),
    "mark_price": ("/indicator/markPrice:", ""),
    **{channel: ("/market/candles:", f"_{suffix}") for channel, suffix in _BARS},
}
"""Configuration channel to what stands before and behind the symbol in its topic."""

FUTURES_TOPICS: dict[str, tuple[str, str]] = {
    "trade": ("/contractMarket/execution:", ""),
    "quote": ("/contractMarket/tickerV2:", ""),
    "book": ("/contractMarket/level2:", ""),
    "book5": ("/contractMarket/level2Depth5:", ""),
    "book50": ("/contractMarket/level2Depth50:", ""),
    "ticker": ("/contractMarket/ticker:", ""),
    "mark_price": ("/contract/instrument:", ""),
    "funding": ("/contract/instrument:", ""),
    **{channel: ("/contractMarket/limitCandle:", f"_{suffix}") for channel, suffix in _BARS},
}

SHARED_CHANNELS = frozenset({"funding"})
"""Channels whose topic belongs to another channel."""

UNIFIED_CHANNEL = "book500"
UNIFIED_DEPTH = "increment@10ms"
"""The book of the unified feed, at an address of its own: snapshot and updates on the stream."""

PARTIAL_BOOK_CHANNELS = frozenset({"book5", "book50"})
"""Partial-depth streams: every message is a full top-N book."""

BOOK_CHANNELS = PARTIAL_BOOK_CHANNELS | {"book", UNIFIED_CHANNEL}

# ---- access

ACCESS_PATH = "/api/v1/bullet-public"
ACCESS_WEIGHT = 10
SUCCESS_CODE = "200000"

PING_INTERVAL_S_MIN = 1.0
PING_INTERVAL_S_MAX = 60.0
"""Bounds of the ping interval that the exchange may set, in seconds."""

# ---- limits

STALE_CHANNEL_S = {
    **dict.fromkeys(("quote", "book", "book5", "book50", UNIFIED_CHANNEL), 60.0),
    "mark_price": 60.0,
}
"""Seconds without data after which a topic of this channel is stale. The books of small symbols rest for a while."""

SYMBOLS_PER_REQUEST_MAX = 100

LIMITS = Limits(  # sources: FACTS
    silence_s=28.0,
    ping_text='{"id":"ping","type":"ping"}',
    ping_idle_s=18.0,
    ping_interval_s=18.0,
    greets_first=True,
    send_interval_s=0.15,
    topics_max=100,
    topics_per_request=SYMBOLS_PER_REQUEST_MAX,
    lifetime_s=24 * 3600.0,
    connects=Budget(30, 60.0),
    rest_weight=Budget(2000, 30.0),
    instruments_weight=4,
    stale_channel_s=STALE_CHANNEL_S,
)

LIMITS_FUTURES = structs.replace(
    LIMITS, instruments_weight=3, stale_channel_s={**STALE_CHANNEL_S, "mark_price": 30.0, "funding": 300.0}
)

LIMITS_UNIFIED = structs.replace(LIMITS, ping_text='{"id":"ping","op":"ping"}')
"""Limits of a connection to the unified feed."""

# ---- facts for people, and the sources of the limits

_SOURCES = {
    "silence_s": "Introduction: pingInterval + pingTimeout of the answer to bullet-public, usually 18 s + 10 s",
    "ping_text": "Introduction, Ping",
    "ping_idle_s": "Introduction: pingInterval",
    "ping_interval_s": "Introduction: pingInterval; the exchange counts pings even while data flow",
    "greets_first": "Introduction: nothing may be sent before `welcome`",
    "send_interval_s": "ours: below 100 messages in 10 s, with room for pings",
    "topics_max": "ours: the documents have named 100, 300 and 400 topics for one connection",
    "lifetime_s": "Introduction: a token is valid for 24 hours",
    "connects": "Introduction: 30 new connections a minute",
    "rest_weight": "Rate Limit: public pool, for one address",
    "instruments_weight": "Get All Symbols",
    "stale_channel_s": "ours: small symbols rest for half a minute",
    "keep_alive": "Introduction, Ping",
    "closes": "Introduction",
    "messages": "Introduction: 100 messages in 10 s",
    "books": "Orderbook - Increment, Level5, Level50; announcement of 8 June 2026",
    "endpoints": "UTA WebSocket introduction",
}

_REST_ORDER = "sequenceStart = previous sequenceEnd + 1"

FACTS = VenueFacts(
    title="KuCoin spot",
    documentation="KuCoin documentation: WebSocket API, Spot public channels",
    keep_alive="The worker sends `ping` each pingInterval (18 s), whether data flow or not",
    closes="The token is valid for 24 hours",
    endpoints=("wss://x-push-spot.kucoin.com",),
    messages=Budget(100, 10.0),
    books={
        "book": BookFacts(snapshot="rest", levels=100, order=_REST_ORDER),
        "book5": BookFacts(snapshot="every", levels=5),
        "book50": BookFacts(snapshot="every", levels=50),
        UNIFIED_CHANNEL: BookFacts(snapshot="stream", levels=500, order="O = previous C + 1"),
    },
    remarks={
        "book": "Levels below the 100th of the snapshot stay unknown until they change",
        UNIFIED_CHANNEL: "The unified feed, at an address of its own: it needs a connection of its own",
        "ticker": "Last price and best bid and ask; no figures of the day",
        "mark_price": "Symbols of margin trading, as `USDT-BTC`",
        "bar": "No bar is marked as closed: it is when the next one begins",
    },
    absent={
        "funding": "Spot has none; kucoin_futures has it",
        "open_interest": "Spot has none",
        "liquidation": "The exchange publishes no liquidations",
    },
    sources=_SOURCES,
)

FACTS_FUTURES = VenueFacts(
    title="KuCoin futures",
    documentation="KuCoin documentation: WebSocket API, Futures public channels",
    keep_alive=FACTS.keep_alive,
    closes=FACTS.closes,
    endpoints=("wss://x-push-futures.kucoin.com",),
    messages=FACTS.messages,
    books={
        "book": BookFacts(snapshot="rest", order="sequence = previous sequence + 1"),
        "book5": BookFacts(snapshot="every", levels=5),
        "book50": BookFacts(snapshot="every", levels=50),
        UNIFIED_CHANNEL: BookFacts(snapshot="stream", levels=500, order="O = previous C + 1"),
    },
    remarks={
        UNIFIED_CHANNEL: FACTS.remarks[UNIFIED_CHANNEL],
        "ticker": FACTS.remarks["ticker"],
        "funding": "The running estimate each minute, and the settled rate",
        "bar": FACTS.remarks["bar"],
    },
    absent={
        "open_interest": "By REST only (/api/v1/contracts/active)",
        "liquidation": "The exchange publishes no liquidations",
    },
    sources={**_SOURCES, "instruments_weight": "Get All Symbols (futures)"},
)

# ---- refusals

NEVER_CODES = frozenset({"400", "403", "404", "415"})
"""Refusals that no retry changes: wrong request, private topic, unknown topic, unknown type ("Introduction", "Error").

All other codes are retried later, such as 509 (too many topics on the connection)."""

# ---- bounds of ours

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

SYMBOL_CHARS_MAX = 64

# ---- symbols

MONTHS = "FGHJKMNQUVXZ"
"""The month letters of futures, January to December."""
