"""What Kraken Futures' documents say: feeds, limits, refusals. Data only.

Source: Kraken API Center, "Derivatives": WebSocket feeds, REST market data, rate limits.
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "FACTS",
    "FEEDS",
    "INSTRUMENTS_PATH",
    "LATER_REASONS",
    "LIMITS",
    "MONTHS",
    "MS",
    "OLD_CURRENCIES",
    "ORDERBOOK_PATH",
    "PRODUCT_CHARS_MAX",
    "SHARED_CHANNELS",
    "STALE_CHANNEL_S",
    "TICKERS_PATH",
]

MS = 1_000_000
"""Nanoseconds in a millisecond."""

# ---- channels

FEEDS = {
    "trade": "trade",
    "liquidation": "trade",
    "book": "book",
    "ticker": "ticker",
    "funding": "ticker",
    "mark_price": "ticker",
    "open_interest": "ticker",
    "ticker_lite": "ticker_lite",
}
"""Configuration channel to the exchange's feed."""

SHARED_CHANNELS = frozenset({"liquidation", "funding", "mark_price", "open_interest"})
"""Channels that a feed carries beside its own."""

# ---- limits

STALE_CHANNEL_S = {
    "book": 60.0,
    **dict.fromkeys(("ticker", "ticker_lite", "funding", "mark_price", "open_interest"), 60.0),
}
"""Seconds without data after which a topic of this channel is stale. Tickers come each second or so; trades and
liquidations may rest."""

LIMITS = Limits(  # sources: FACTS
    silence_s=60.0,
    ping_frame_s=20.0,
    send_interval_s=0.05,
    topics_max=500,
    topics_per_request=50,
    rest_weight=Budget(5, 1.0),
    stale_channel_s=STALE_CHANNEL_S,
)

INSTRUMENTS_PATH = "/derivatives/api/v3/instruments"
ORDERBOOK_PATH = "/derivatives/api/v3/orderbook"
TICKERS_PATH = "/derivatives/api/v3/tickers"

# ---- facts for people, and the sources of the limits

FACTS = VenueFacts(
    title="Kraken Futures",
    documentation="Kraken API Center: Derivatives (WebSocket, REST)",
    keep_alive="The worker sends a ping frame each 20 s; the exchange wants one each 60 s",
    testnet_url="wss://demo-futures.kraken.com/ws/v1",
    testnet_rest_url="https://demo-futures.kraken.com",
    messages=Budget(100, 1.0),
    books={"book": BookFacts(snapshot="stream", order="seq = previous seq + 1")},
    remarks={
        "trade": "A connection begins with the last 100 trades; liquidations are among the trades",
        "liquidation": "From the feed of trades",
        "book": "One changed level in a message",
        "funding": "The relative rate, a fraction; from the ticker, of perpetuals",
        "mark_price": "From the ticker",
        "open_interest": "From the ticker",
        "ticker_lite": "Best bid and ask without sizes, volume",
    },
    absent={
        "quote": "the ticker has the best bid and ask with their sizes, each second or so",
        "bar": "no such feed",
    },
    sources={
        "silence_s": "ours: a ping is answered at once; three of them without an answer",
        "ping_frame_s": "Websockets API: a ping at least each 60 s",
        "send_interval_s": "WebSocket limits: requests of one connection in a second, with a margin",
        "topics_max": "ours; no limit is named",
        "topics_per_request": "ours",
        "rest_weight": "ours: no figure for public requests; five in a second are known to be safe",
        "stale_channel_s": "Ticker: pace of a second or so; books of dated contracts rest longer",
        "keep_alive": "Websockets API",
        "testnet_url": "Demo environment",
        "testnet_rest_url": "Demo environment",
        "messages": "WebSocket limits",
        "books": "Book",
    },
)

# ---- refusals

LATER_REASONS = ("rate", "limit", "internal", "unavailable", "try again")
"""Parts of refusals that another attempt may change. All others name a feed or product that does not exist, or a
malformed request: no retry changes them ("Subscribe", errors)."""

# ---- bounds of ours

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

PRODUCT_CHARS_MAX = 64

# ---- symbols

MONTHS = "FGHJKMNQUVXZ"
"""The month letters of futures, January to December."""

OLD_CURRENCIES = {"XBT": "BTC", "XDG": "DOGE"}
"""Currencies that the exchange names otherwise than others do."""
