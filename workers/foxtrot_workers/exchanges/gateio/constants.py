"""What Gate.io's documents say: channels, limits, request weights, refusal codes. Data only.

Sources: Gate API v4, "Spot WebSocket v4", "Futures WebSocket v4" and "REST"; announcements 44946 and 45317 (``obu``);
gateio/gatews, issue 25 (limits).
"""

from __future__ import annotations

from msgspec import structs

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "BOOK_CHANNELS",
    "BOOK_LEVELS",
    "DUPLICATE_REFUSAL",
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
    "SECOND",
    "SHARED_CHANNELS",
    "SINGLE_CHANNELS",
    "SNAPSHOT_LEVELS",
    "SPOT_CHANNELS",
    "SYMBOL_CHARS_MAX",
    "US",
]

US = 1_000
MS = 1_000_000
SECOND = 1_000_000_000
"""Nanoseconds in a microsecond, in a millisecond and in a second."""

# ---- channels

INTERVALS = ("10s", "1m", "5m", "15m", "30m", "1h", "4h", "8h", "1d", "7d")
"""Intervals of bars ("Candlesticks")."""

BOOK_LEVELS = {"book": "400", "book50_obu": "50"}
"""Books on the stream (``obu``) by levels: each 100 ms and each 20 ms."""

PARTIAL_BOOK_CHANNELS = frozenset({"book5", "book10", "book20", "book50", "book100"})
"""Partial-depth streams: every message is a full top-N book."""

BOOK_CHANNELS = PARTIAL_BOOK_CHANNELS | BOOK_LEVELS.keys() | {"book_update"}

SPOT_CHANNELS = {
    "trade": "trades",
    "quote": "book_ticker",
    "ticker": "tickers",
    "book_update": "order_book_update",
    **dict.fromkeys(BOOK_LEVELS, "obu"),
    **dict.fromkeys(sorted(PARTIAL_BOOK_CHANNELS), "order_book"),
    **{f"bar_{interval}": "candlesticks" for interval in INTERVALS},
}
"""Configuration channel to the exchange's, without ``spot.``."""

FUTURES_CHANNELS = {
    "trade": "trades",
    "quote": "book_ticker",
    "ticker": "tickers",
    "funding": "tickers",
    "mark_price": "tickers",
    "open_interest": "tickers",
    "liquidation": "public_liquidates",
    "book_update": "order_book_update",
    **dict.fromkeys(BOOK_LEVELS, "obu"),
    **{f"bar_{interval}": "candlesticks" for interval in INTERVALS},
}
"""The same without ``futures.``."""

SHARED_CHANNELS = frozenset({"funding", "mark_price", "open_interest"})
"""Channels that the topic of `ticker` carries."""

SINGLE_CHANNELS = frozenset({"candlesticks", "order_book", "order_book_update", "obu"})
"""Exchange channels that take one symbol a request; all others take many."""

SNAPSHOT_LEVELS = 100

# ---- limits

STALE_CHANNEL_S = {
    **dict.fromkeys(("quote", *sorted(BOOK_CHANNELS)), 60.0),
    **dict.fromkeys(("ticker", "mark_price", "open_interest"), 60.0),
    "funding": 300.0,
}
"""Seconds without data after which a topic of this channel is stale. The books of small symbols rest for a while."""

LIMITS = Limits(  # sources: FACTS
    silence_s=45.0,
    ping_text='{"channel":"spot.ping"}',
    ping_idle_s=15.0,
    send_interval_s=0.05,
    topics_max=1000,
    topics_per_request=100,
    connects=Budget(100, 300.0),
    rest_weight=Budget(200, 10.0),
    stale_channel_s={channel: limit_s for channel, limit_s in STALE_CHANNEL_S.items() if channel in SPOT_CHANNELS},
)

LIMITS_FUTURES = structs.replace(
    LIMITS,
    ping_text='{"channel":"futures.ping"}',
    stale_channel_s={channel: limit_s for channel, limit_s in STALE_CHANNEL_S.items() if channel in FUTURES_CHANNELS},
)

HISTORY_TRADES = 1_000
"""Past trades in one answer, at most."""

# ---- facts for people, and the sources of the limits

_SOURCES = {
    "silence_s": "ours: three unanswered pings",
    "ping_text": "Application ping pong",
    "ping_idle_s": "ours: the documents' example pings each 10 s to 30 s",
    "send_interval_s": "ours: gatews issue 25 knows no limit of messages",
    "connects": "ours: gatews issue 25 advises at most 100 connections of one address",
    "rest_weight": "REST, rate limits: of one address and path",
    "stale_channel_s": "ours: small symbols rest for half a minute",
    "keep_alive": "Application ping pong",
    "closes": "gatews issue 25",
    "testnet_url": "WebSocket v4, server URL",
    "books": "Announcements 44946 and 45317 (obu); Order book update, How to maintain a local order book",
    "backfill": "REST, Retrieve market trades",
}

_OBU = "U = previous u + 1"

FACTS = VenueFacts(
    title="Gate.io spot",
    documentation="Gate API v4: Spot WebSocket v4",
    keep_alive="The worker sends `spot.ping` after 15 s of silence; the exchange pings too",
    closes="A client that reads too slowly is disconnected",
    testnet_url="wss://ws-testnet.gate.io/v4/ws/spot",
    books={
        "book": BookFacts(snapshot="stream", levels=400, order=_OBU),
        "book50_obu": BookFacts(snapshot="stream", levels=50, order=_OBU),
        "book_update": BookFacts(snapshot="rest", levels=SNAPSHOT_LEVELS, order=_OBU),
        **{
            channel: BookFacts(snapshot="every", levels=int(channel.removeprefix("book")))
            for channel in sorted(PARTIAL_BOOK_CHANNELS)
        },
    },
    backfill={"trade": "1,000 trades a request, before an id"},
    remarks={
        "trade": "Identifiers of all symbols count together",
        "book50_obu": "Each 20 ms; `book` each 100 ms",
        "book_update": "Changes each 100 ms; levels below the 100th of the snapshot stay unknown until they change",
    },
    absent={
        **dict.fromkeys(("funding", "mark_price", "open_interest", "liquidation"), "Spot has none; see gateio_futures"),
    },
    sources=_SOURCES,
)

FACTS_FUTURES = VenueFacts(
    title="Gate.io futures",
    documentation="Gate API v4: Futures WebSocket v4",
    keep_alive="The worker sends `futures.ping` after 15 s of silence; the exchange pings too",
    closes=FACTS.closes,
    endpoints=("wss://fx-ws.gateio.ws/v4/ws/btc", "wss://fx-ws.gateio.ws/v4/ws/delivery/usdt"),
    testnet_url="wss://ws-testnet.gate.com/v4/ws/futures/usdt",
    books={channel: FACTS.books[channel] for channel in ("book", "book50_obu", "book_update")},
    backfill=FACTS.backfill,
    remarks={
        "ticker": "Sizes are contracts",
        "book_update": FACTS.remarks["book_update"],
        "funding": "Part of the ticker, as mark price and open interest; the time of the next payment is not sent",
        "liquidation": "At most one message a second and contract, with the orders of that second",
    },
    sources={**_SOURCES, "endpoints": "Futures WebSocket v4, server URL: set as `url`"},
)

# ---- refusals

NEVER_CODES = frozenset({1, 2, 4})
"""Refusals that no retry changes: invalid request, invalid argument, no authorization ("Error"). Code 3 is an error of
the server; all other codes are retried later too."""

DUPLICATE_REFUSAL = "Alert sub"
"""How the text of a refusal begins that only says: this book is subscribed already."""

# ---- bounds of ours

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

SYMBOL_CHARS_MAX = 64
