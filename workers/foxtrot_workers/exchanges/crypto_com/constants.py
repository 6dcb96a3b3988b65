"""What Crypto.com's documents say: channels, limits, refusal codes. Data only.

Sources: Crypto.com Exchange API v1, "Websocket Subscriptions", "Websocket Heartbeats", "Rate Limits", "Response and
Reason Codes"; Spot API v2 for recordings.
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "BOOK_CHANNELS",
    "CHANNELS",
    "DUPLICATE_CODES",
    "FACTS",
    "INSTRUMENTS_PATH",
    "INTERVALS",
    "LIMITS",
    "MONTHS",
    "MS",
    "NEVER_CODES",
    "OPEN_INTEREST",
    "REASON_CHARS_MAX",
    "STALE_CHANNEL_S",
    "SYMBOL_CHARS_MAX",
    "UPDATE_INTERVAL_MS",
]

MS = 1_000_000
"""Nanoseconds in a millisecond."""

# ---- channels

INTERVALS = ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1D", "7D", "14D", "1M")
"""Intervals of bars ("candlestick")."""

CHANNELS = {
    "trade": "trade.{}",
    "ticker": "ticker.{}",
    "book": "book.{}.50",
    "book10": "book.{}.10",
    "mark_price": "mark.{}",
    "funding": "funding.{}",
    "open_interest": "ticker.{}",
    "index": "index.{}",
    **{f"bar_{interval}": f"candlestick.{interval}.{{}}" for interval in INTERVALS},
}
"""Configuration channel to the exchange's, with a place for the instrument."""

OPEN_INTEREST = "open_interest"
"""The channel that a ticker carries too."""

BOOK_CHANNELS = frozenset({"book", "book10"})

UPDATE_INTERVAL_MS = 10
"""Pace of book updates that is requested: 10 or 100 ("book")."""

# ---- limits

STALE_CHANNEL_S = {
    **dict.fromkeys(BOOK_CHANNELS, 30.0),
    **dict.fromkeys(("ticker", "open_interest", "mark_price", "index"), 120.0),
    "funding": 300.0,
}
"""Seconds without data after which a topic of this channel is stale. A quiet book sends an empty update each few
seconds. Trades and bars may rest."""

LIMITS = Limits(  # sources: FACTS
    silence_s=60.0,
    opening_delay_s=1.0,
    send_interval_s=0.05,
    topics_max=400,
    topics_per_request=50,
    rest_weight=Budget(50, 1.0),
    stale_channel_s=STALE_CHANNEL_S,
)

INSTRUMENTS_PATH = "/public/get-instruments"

# ---- facts for people, and the sources of the limits

_CHAINED = "pu = previous u"

FACTS = VenueFacts(
    title="Crypto.com Exchange",
    documentation="Crypto.com Exchange API v1; Spot API v2 for recordings",
    keep_alive="The exchange sends a heartbeat each 30 s; the answer, with its id, is due within 5 s",
    testnet_url="wss://uat-stream.3ona.co/exchange/v1/market",
    testnet_rest_url="https://uat-api.3ona.co/exchange/v1",
    messages=Budget(100, 1.0),
    books={
        "book": BookFacts(snapshot="stream", levels=50, order=_CHAINED),
        "book10": BookFacts(snapshot="stream", levels=10, order=_CHAINED),
    },
    remarks={
        "trade": "A connection begins with past trades, as the exchange sends them in its first message",
        "ticker": "With the best bid and ask",
        "open_interest": "From the ticker, of derivatives",
        "index": "Of an index such as BTCUSD-INDEX: a ticker with its price as the last one",
        "bar": "Closed once a later bar has come in the same message; otherwise the next bar shows it",
    },
    absent={
        "quote": "the ticker has the best bid and ask",
        "liquidation": "no such channel",
    },
    sources={
        "silence_s": "Websocket Heartbeats: each 30 s; two of them missed",
        "opening_delay_s": "Websocket: rate limits are pro-rated from the second of the connect; wait 1 s",
        "send_interval_s": "Rate Limits, with a margin",
        "topics_max": "EXCEED_MAX_SUBSCRIPTIONS beyond 400",
        "topics_per_request": "ours",
        "rest_weight": "Rate Limits: 100 requests in a second for each public method, with a margin",
        "stale_channel_s": "ours: a quiet book sends an empty update each 5 s or so; other channels follow the market",
        "keep_alive": "Websocket Heartbeats",
        "testnet_url": "Websocket Root Endpoints: UAT Sandbox",
        "testnet_rest_url": "REST API Root Endpoint: UAT Sandbox",
        "messages": "Rate Limits: market data",
        "books": "book.{instrument_name}.{depth}",
    },
)

# ---- refusals

NEVER_CODES = frozenset({10002, 10003, 10004, 10005, 10008, 40001, 40003, 40004, 40101, 40103, 40104, 40107, 40401})
"""Refusals that no retry changes: not authorized, bad request, unknown method or channel, invalid argument, too many
subscriptions ("Response and Reason Codes"). All others, such as 10001, 50001 (internal error), 10006 and 42901 (too
many requests), are retried later."""

DUPLICATE_CODES = frozenset({20001, 40003, 40006})
"""Refusals that may mean that the topic is subscribed already: they do no harm while its data come."""

# ---- bounds of ours

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

REASON_CHARS_MAX = 300

SYMBOL_CHARS_MAX = 64

MONTHS = "FGHJKMNQUVXZ"
"""The month letters of futures, January to December."""
