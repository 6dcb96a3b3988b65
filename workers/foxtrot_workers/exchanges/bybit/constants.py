"""What Bybit's documents say: channels, limits, refusals. Data only.

Sources: Bybit API v5, "WebSocket Stream" ("Connect", "Public"), "Market" (REST), "Rate Limit Rules".
"""

from __future__ import annotations

from msgspec import structs

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "ALREADY_TEXTS",
    "ARGS_CHARS_MAX",
    "CATEGORIES",
    "DERIVATIVE_CHANNELS",
    "FACTS_INVERSE",
    "FACTS_LINEAR",
    "FACTS_SPOT",
    "FULL_BOOK_PATH",
    "HOST",
    "INSTRUMENTS_LISTED_MAX",
    "INSTRUMENTS_PATH",
    "INTERVALS",
    "LIMITS",
    "LIVENESS_PATHS",
    "MONTHS",
    "MS",
    "NEVER_TEXTS",
    "PATH",
    "QUOTE_ASSETS",
    "SPOT_CHANNELS",
    "SYMBOL_CHARS_MAX",
    "TICKER_CHANNELS",
    "TOPICS",
]

MS = 1_000_000
"""Nanoseconds in a millisecond."""

HOST = "wss://stream.bybit.com"
PATH = "/v5/public/"
"""Path of a public connection, up to the category."""

CATEGORIES = frozenset({"spot", "linear", "inverse", "option"})
"""A connection serves one of them, and its path says which. Spot and linear have symbols in common."""

# ---- channels

INTERVALS = {
    "1m": "1",
    "3m": "3",
    "5m": "5",
    "15m": "15",
    "30m": "30",
    "1h": "60",
    "2h": "120",
    "4h": "240",
    "6h": "360",
    "12h": "720",
    "1d": "D",
    "1w": "W",
    "1M": "M",
}
"""Interval of bars to the exchange's ("Kline")."""

TICKER_CHANNELS = frozenset({"ticker", "funding", "mark_price", "open_interest"})
"""Channels that one topic carries together, ``tickers.SYMBOL``."""

TOPICS = {
    "trade": "publicTrade",
    "quote": "orderbook.1",
    "book": "orderbook.200",
    "book50": "orderbook.50",
    "book1000": "orderbook.1000",
    "book_rpi": "orderbook.rpi",
    "book_full": "orderbook.full",
    "liquidation": "allLiquidation",
    **dict.fromkeys(sorted(TICKER_CHANNELS), "tickers"),
    **{f"bar_{interval}": f"kline.{wire}" for interval, wire in INTERVALS.items()},
}
"""Configuration channel to topic, without the symbol."""

SPOT_CHANNELS = frozenset(TOPICS) - {"funding", "mark_price", "open_interest", "liquidation"}
DERIVATIVE_CHANNELS = frozenset(TOPICS) - {"book_full"}

# ---- limits

_BOOK_CHANNELS = ("book", "book50", "book1000", "book_rpi", "book_full")

STALE_CHANNEL_S = {
    **dict.fromkeys(_BOOK_CHANNELS, 30.0),
    "quote": 30.0,
    **dict.fromkeys(sorted(TICKER_CHANNELS), 60.0),
}
"""Seconds without data after which a topic of this channel is stale. A quote is repeated each 3 s, books are pushed
each 20 to 200 ms while they change, tickers each 50 to 100 ms. Trades, bars and liquidations may rest."""

LIMITS = Limits(  # sources: FACTS_SPOT
    silence_s=30.0,
    ping_text='{"op":"ping"}',
    ping_idle_s=20.0,
    ping_interval_s=20.0,
    send_interval_s=0.1,
    topics_max=700,
    topics_per_request=10,
    connects=Budget(500, 300.0),
    rest_weight=Budget(50, 1.0),
    stale_channel_s=STALE_CHANNEL_S,
)

ARGS_CHARS_MAX = 21_000
"""Characters of the names of all topics of one connection ("Connect", "Public channel - args limits")."""

INSTRUMENTS_PATH = "/v5/market/instruments-info"
INSTRUMENTS_LISTED_MAX = 1_000
"""Instruments on one page, at most ("Get Instruments Info")."""

FULL_BOOK_PATH = "/v5/market/full_orderbook"

LIVENESS_PATHS = {
    **dict.fromkeys(
        (channel for channel in sorted(TOPICS) if channel.startswith("book")), "/v5/market/orderbook?limit=5&"
    ),
    "quote": "/v5/market/orderbook?limit=1&",
    "trade": "/v5/market/recent-trade?limit=1&",
    **{f"bar_{interval}": "/v5/market/recent-trade?limit=1&" for interval in INTERVALS},
    **dict.fromkeys(sorted(TICKER_CHANNELS), "/v5/market/tickers?"),
}
"""By channel: path of a cheap request for the same data, without category and symbol. Bars move with trades."""

# ---- facts for people, and the sources of the limits

_DENSE = "u = previous u + 1; u = 1 replaces the book"

_BOOKS = {
    "book": BookFacts(snapshot="stream", levels=200, order=_DENSE),
    "book50": BookFacts(snapshot="stream", levels=50, order=_DENSE),
    "book1000": BookFacts(snapshot="stream", levels=1000, order=_DENSE),
    "book_rpi": BookFacts(snapshot="stream", levels=50, order=_DENSE),
}

_REMARKS = {
    "quote": "Repeated each 3 s while it does not change",
    "book": "Pushed each 100 ms; book50 each 20 ms, book1000 each 200 ms",
    "book_rpi": "With retail price improvement orders; the size of a level is the sum of its two parts",
}

_SOURCES = {
    "silence_s": "ours: a ping each 20 s is answered",
    "ping_text": "Connect: How to Send the Heartbeat Packet",
    "ping_idle_s": "Connect: a ping each 20 s is advised",
    "ping_interval_s": "Connect: a ping each 20 s is advised; a connection without one ends after 10 minutes",
    "send_interval_s": "ours",
    "topics_max": "ours: names of 30 characters; their sum is limited to 21,000 characters (Connect: args limits)",
    "topics_per_request": "Connect: args limits of spot",
    "connects": "Connect: IP limit, for one domain",
    "rest_weight": "Rate Limit: 50 GET requests a second for two minutes, for one address",
    "stale_channel_s": "Public: push frequency of each topic, with a margin",
    "keep_alive": "Connect",
    "testnet_url": "Connect",
    "testnet_rest_url": "Integration Guidance",
    "books": "Public: Orderbook, RPI Orderbook, Full Orderbook",
}

_ABSENT = {
    "agg_trade": "trade has each fill",
    "backfill": "REST has only the newest trades, and trade ids have no order",
}

FACTS_SPOT = VenueFacts(
    title="Bybit v5 spot",
    documentation="Bybit API v5: WebSocket Stream, Market",
    keep_alive='The worker sends `{"op":"ping"}` each 20 s',
    testnet_url="wss://stream-testnet.bybit.com/v5/public/spot",
    testnet_rest_url="https://api-testnet.bybit.com",
    books={**_BOOKS, "book_full": BookFacts(snapshot="rest", order=_DENSE)},
    remarks={**_REMARKS, "book_full": "All levels, pushed each 200 ms; the snapshot has up to 10,000 on each side"},
    absent={
        **_ABSENT,
        **dict.fromkeys(
            ("funding", "mark_price", "open_interest", "liquidation"), "spot; see bybit_linear, bybit_inverse"
        ),
    },
    sources=_SOURCES,
)

FACTS_LINEAR = structs.replace(
    FACTS_SPOT,
    title="Bybit v5 linear",
    testnet_url="wss://stream-testnet.bybit.com/v5/public/linear",
    books=_BOOKS,
    remarks={
        **_REMARKS,
        **dict.fromkeys(("funding", "mark_price", "open_interest"), "When it changes"),
        "liquidation": "Each liquidation, pushed each 500 ms",
    },
    absent={**_ABSENT, "book_full": "its start is not dated for derivatives"},
)

FACTS_INVERSE = structs.replace(
    FACTS_LINEAR,
    title="Bybit v5 inverse",
    testnet_url="wss://stream-testnet.bybit.com/v5/public/inverse",
)

# ---- refusals, by parts of their text in lower case

ALREADY_TEXTS = ("already subscribed",)

NEVER_TEXTS = ("invalid", "not found", "not exist", "params error", "param error", "args size", "illegal")
"""Refusals that no retry changes ("Connect": subscription errors). All others are retried later."""

# ---- bounds of ours

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

SYMBOL_CHARS_MAX = 64

# ---- symbols

QUOTE_ASSETS = (
    *("USDT", "USDC", "USDE", "USDQ", "USDR", "USD1", "USD", "BTC", "ETH", "EUR", "BRL", "BRZ", "DAI", "MNT", "TRY"),
    *("PLN", "SOL"),
)
"""Currencies that Bybit has quoted in: used to split a symbol where no instrument list is at hand."""

MONTHS = {
    "JAN": "F",
    "FEB": "G",
    "MAR": "H",
    "APR": "J",
    "MAY": "K",
    "JUN": "M",
    "JUL": "N",
    "AUG": "Q",
    "SEP": "U",
    "OCT": "V",
    "NOV": "X",
    "DEC": "Z",
}
"""The month letters of futures."""
