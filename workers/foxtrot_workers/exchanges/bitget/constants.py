"""What Bitget's documents say: channels, limits, request weights, refusal codes. Data only.

Sources: Bitget API, "Websocket API" (introduction, public channels of v2 and of the unified account, v3), "Best
Practices Guide" of the unified account, REST "Market".
"""

from __future__ import annotations

from msgspec import structs

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "BOOK_CHANNELS",
    "CHANNELS",
    "CHECKSUM_LEVELS",
    "FACTS",
    "FACTS_FUTURES",
    "FUTURES_CHANNELS",
    "HISTORY_TRADES",
    "INTERVALS",
    "LIMITS",
    "LIMITS_FUTURES",
    "MS",
    "NEVER_CODES",
    "PARTIAL_BOOK_CHANNELS",
    "REQUEST_ARGS_MAX",
    "SHARED_CHANNELS",
    "SPOT_CHANNELS",
    "SUCCESS_CODE",
    "SYMBOL_CHARS_MAX",
    "UNIFIED_CHANNELS",
    "UNIFIED_NAMES",
    "UNIFIED_PATH",
    "V2_CHANNELS",
    "V2_PATH",
]

MS = 1_000_000
"""Nanoseconds in a millisecond."""

# ---- channels

INTERVALS = ("1m", "5m", "15m", "30m", "1H", "4H", "6H", "12H", "1D")
"""Intervals of bars that v2 and v3 have ("Candlestick Channel"). Days begin at 00:00 UTC+8."""

SPOT_CHANNELS = {
    "trade": "trade",
    "quote": "books1",
    "book": "books",
    "book5": "books5",
    "book15": "books15",
    "book50": "books50",
    "ticker": "ticker",
    **{f"bar_{interval}": f"candle{interval}" for interval in INTERVALS},
}
"""Configuration channel to the exchange's, by its name in v2."""

FUTURES_CHANNELS = {
    **SPOT_CHANNELS,
    "funding": "ticker",
    "mark_price": "ticker",
    "open_interest": "ticker",
    "liquidation": "liquidation",
}

CHANNELS = frozenset(FUTURES_CHANNELS.values())

SHARED_CHANNELS = frozenset({"funding", "mark_price", "open_interest"})
"""Channels that the topic of `ticker` carries."""

PARTIAL_BOOK_CHANNELS = frozenset({"book5", "book15", "book50"})
"""Partial-depth streams: every message is a full top-N book."""

BOOK_CHANNELS = PARTIAL_BOOK_CHANNELS | {"book"}

UNIFIED_CHANNELS = frozenset({"book", "book50", "liquidation"})
"""Channels for which the unified feed (v3) is used: only there, each update of a book names its predecessor."""

V2_CHANNELS = frozenset({"book15"})
"""Channels that only v2 has."""

UNIFIED_NAMES = {"publicTrade": "trade"}
"""Topic of the unified feed to the channel of v2, where they differ."""

V2_PATH = "/v2/ws/public"
UNIFIED_PATH = "/v3/ws/public"

CHECKSUM_LEVELS = 25
"""Levels of each side that a checksum covers."""

SUCCESS_CODE = "00000"

# ---- limits

STALE_CHANNEL_S = {
    **dict.fromkeys(("quote", *sorted(BOOK_CHANNELS)), 60.0),
    **dict.fromkeys(("ticker", "mark_price", "open_interest"), 60.0),
    "funding": 300.0,
}
"""Seconds without data after which a topic of this channel is stale. The books of small symbols rest for a while."""

REQUEST_ARGS_MAX = 30

LIMITS = Limits(  # sources: FACTS
    silence_s=45.0,
    ping_text="ping",
    ping_idle_s=20.0,
    ping_interval_s=30.0,
    send_interval_s=0.15,
    topics_max=1000,
    topics_per_request=REQUEST_ARGS_MAX,
    lifetime_s=24 * 3600.0,
    connects=Budget(300, 300.0),
    rest_weight=Budget(20, 1.0),
    stale_channel_s={channel: limit_s for channel, limit_s in STALE_CHANNEL_S.items() if channel in SPOT_CHANNELS},
)

LIMITS_FUTURES = structs.replace(LIMITS, stale_channel_s=STALE_CHANNEL_S)

HISTORY_TRADES = 1_000
"""Past trades in one answer, at most."""

# ---- facts for people, and the sources of the limits

_SOURCES = {
    "silence_s": "ours: one and a half pings",
    "ping_text": "Websocket API, Connect: a text, not a control frame",
    "ping_idle_s": "ours",
    "ping_interval_s": "Websocket API, Connect: each 30 s; without a ping for 2 minutes the exchange closes",
    "send_interval_s": "ours: below 10 messages a second, with room for pings",
    "topics_per_request": "ours: a request may have 4,096 bytes",
    "lifetime_s": "Websocket API, Connect",
    "connects": "Websocket API, Connect: of one address",
    "rest_weight": "REST, rate limits: of one address and path; requests that are allowed less often weigh more",
    "stale_channel_s": "Public channels: push interval of each channel; small symbols rest for a while",
    "keep_alive": "Websocket API, Connect",
    "messages": "Websocket API, Connect; also 240 subscription requests an hour",
    "endpoints": "Unified account, Websocket API",
    "testnet_url": "Demo trading",
    "books": "Depth Channel (checksum); unified account, Best Practices Guide (pseq)",
    "backfill": "Get Recent Trades / Get Market Trades, the last 90 days",
}

FACTS = VenueFacts(
    title="Bitget spot",
    documentation="Bitget API: Websocket API v2, unified account (v3)",
    keep_alive="The worker sends the text `ping` each 30 s; without one for 2 minutes the exchange closes",
    endpoints=("wss://ws.bitget.com" + UNIFIED_PATH,),
    testnet_url="wss://wspap.bitget.com" + V2_PATH,
    messages=Budget(10, 1.0),
    books={
        "book": BookFacts(snapshot="stream", order="v3: pseq = previous seq", checksum="v2, v1: CRC32 of 25 levels"),
        "book5": BookFacts(snapshot="every", levels=5),
        "book15": BookFacts(snapshot="every", levels=15),
        "book50": BookFacts(snapshot="every", levels=50),
    },
    backfill={"trade": "1,000 trades a request, before an id"},
    remarks={
        "book": "From the unified feed (v3), unless `url` has a path of v2; the other channels of the connection too",
        "book15": "v2 only: not beside `book`, `book50` and `liquidation`",
        "bar": "No bar is marked as closed: it is when the next one begins",
    },
    absent={
        **dict.fromkeys(("funding", "mark_price", "open_interest", "liquidation"), "Spot has none; see bitget_futures"),
    },
    sources=_SOURCES,
)

FACTS_FUTURES = structs.replace(
    FACTS,
    title="Bitget futures (USDT, USDC, coin)",
    remarks={
        **FACTS.remarks,
        "funding": "Part of the ticker, as mark price and open interest",
        "liquidation": "From the unified feed (v3). It names the side of the position, the event that of the order",
    },
    absent={},
)

# ---- refusals

NEVER_CODES = frozenset({"30001", "30002", "30003", "30004", "30005", "30011", "30012", "30013", "30015", "30016"})
"""Refusals that no retry changes: a channel or symbol that does not exist, illegal request, login needed, wrong
parameters ("Websocket API", error codes). All other codes are retried later, such as 30006 (too many requests) and
30007 (too many at once)."""

# ---- bounds of ours

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

SYMBOL_CHARS_MAX = 64
