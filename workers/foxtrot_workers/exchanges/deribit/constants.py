"""What Deribit's documents say: channels, limits, paths, error codes. Data only.

Sources: Deribit API v2: "Subscriptions", "Notifications", "Rate Limits", "Connection Management Best Practices", "RPC
Error Codes".
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "CHANNELS",
    "FACTS",
    "HEARTBEAT_S",
    "INSTRUMENTS_PATH",
    "INTERVALS",
    "LIMITS",
    "MS",
    "NEVER_CODES",
    "OWN_ID",
    "PARTIAL_BOOK_CHANNELS",
    "PLATFORM_CHANNEL",
    "REASON_CHARS",
    "REST_PATH",
    "SHARED_CHANNELS",
    "STREAM_BOOK_CHANNELS",
    "SYMBOL_CHARS_MAX",
]

MS = 1_000_000
"""Nanoseconds in a millisecond."""

# ---- channels

INTERVALS = {
    "1m": "1",
    "3m": "3",
    "5m": "5",
    "10m": "10",
    "15m": "15",
    "30m": "30",
    "1h": "60",
    "2h": "120",
    "3h": "180",
    "6h": "360",
    "12h": "720",
    "1d": "1D",
}
"""Interval of bars to the exchange's resolution ("chart.trades.{instrument_name}.{resolution}")."""

CHANNELS = {
    "trade": "trades.{}.100ms",
    "liquidation": "trades.{}.100ms",
    "quote": "quote.{}",
    "book": "book.{}.100ms",
    "book_agg2": "book.{}.agg2",
    "book1": "book.{}.none.1.100ms",
    "book10": "book.{}.none.10.100ms",
    "book20": "book.{}.none.20.100ms",
    "ticker": "ticker.{}.100ms",
    "funding": "ticker.{}.100ms",
    "mark_price": "ticker.{}.100ms",
    "open_interest": "ticker.{}.100ms",
    **{f"bar_{interval}": f"chart.trades.{{}}.{resolution}" for interval, resolution in INTERVALS.items()},
}
"""Configuration channel to the exchange's, with the instrument to fill in. The interval ``raw`` needs a login."""

SHARED_CHANNELS = frozenset({"liquidation", "funding", "mark_price", "open_interest"})
"""Carried by the topic of trades or of tickers."""

STREAM_BOOK_CHANNELS = frozenset({"book", "book_agg2"})
"""A snapshot, then changes."""

PARTIAL_BOOK_CHANNELS = frozenset({"book1", "book10", "book20"})
"""Every message is a full picture."""

PLATFORM_CHANNEL = "platform_state"
"""Announces maintenance."""

REST_PATH = "/api/v2/public/"
INSTRUMENTS_PATH = REST_PATH + "get_instruments"

# ---- limits

HEARTBEAT_S = 10
"""Interval that is requested with ``public/set_heartbeat``; the least that the exchange takes."""

LIMITS = Limits(  # sources: FACTS
    silence_s=25.0,
    send_interval_s=0.1,
    topics_per_request=100,
    rest_weight=Budget(20, 1.0),
    instruments_weight=20,
    stale_channel_s={
        **dict.fromkeys(("quote", "book", "book_agg2", "book1", "book10", "book20"), 60.0),
        **dict.fromkeys(("ticker", "mark_price", "open_interest"), 60.0),
        "funding": 120.0,
    },
)

# ---- requests and refusals

OWN_ID = 0
"""JSON-RPC id of requests that are no subscription of a topic: heartbeat, test, platform state."""

NEVER_CODES = frozenset({-32600, -32601, -32602, -32700, 11029, 11030, 11050, 13004, 13009, 13020, 13028})
"""Errors that no retry changes: wrong request, method, parameters or argument; not authorized, not found, disabled
("RPC Error Codes"). All others are retried later, such as 10028 (too many requests), 10040 and 10041 (retry, settlement
in progress), 10047 (queue full), 11051 (maintenance), 13888 (timed out)."""

# ---- bounds of ours

REASON_CHARS = 200
"""Characters of an error's text that are passed on."""

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

SYMBOL_CHARS_MAX = 64

# ---- facts for people, and the sources of the limits

_CHAINED = "prev_change_id = previous change_id"

FACTS = VenueFacts(
    title="Deribit",
    documentation="Deribit API v2: Subscriptions, Notifications, Rate Limits, RPC Error Codes",
    keep_alive="The worker asks for heartbeats each 10 s; a `test_request` is answered at once, or the exchange closes",
    closes="Notification on `platform_state` before maintenance",
    testnet_url="wss://test.deribit.com/ws/api/v2",
    testnet_rest_url="https://test.deribit.com",
    messages=Budget(20, 1.0),
    books={
        "book": BookFacts(snapshot="stream", order=_CHAINED),
        "book_agg2": BookFacts(snapshot="stream", order=_CHAINED),
        "book1": BookFacts(snapshot="every", levels=1),
        "book10": BookFacts(snapshot="every", levels=10),
        "book20": BookFacts(snapshot="every", levels=20),
    },
    remarks={
        "trade": "Sizes are US dollars for inverse futures, base units for options and linear contracts",
        "liquidation": "Trades that the exchange marks as liquidations, with the side of the forced order",
        "funding": "Perpetuals only; the exchange settles it continuously",
        "book_agg2": "Changes of about a second together",
        "bar": "Nothing says that a bar is closed",
    },
    sources={
        "silence_s": "public/set_heartbeat: a heartbeat each 10 s; two missed, with a margin",
        "send_interval_s": "ours: 20 requests a second are allowed",
        "rest_weight": "Rate Limits: 500 of 50,000 credits a request, 10,000 a second are refilled",
        "instruments_weight": "Rate Limits: get_instruments costs 10,000 credits",
        "stale_channel_s": "ours: books, quotes and tickers are sent while they change",
        "keep_alive": "public/set_heartbeat",
        "closes": "platform_state",
        "testnet_url": "Deribit API v2: test.deribit.com",
        "testnet_rest_url": "Deribit API v2: test.deribit.com",
        "messages": "Rate Limits: 500 credits a request, 10,000 a second are refilled",
        "books": "book.{instrument_name}.{interval}, book.{instrument_name}.{group}.{depth}.{interval}",
    },
)
