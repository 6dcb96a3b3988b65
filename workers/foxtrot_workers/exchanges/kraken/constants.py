"""What Kraken's documents say: channels, limits, request weights, refusals. Data only.

Sources: Kraken API Center, "Spot WebSockets v2" (channels, guide "Book Checksum"), "Spot REST" (market data, rate
limits), and the pages of WebSocket v1 for recordings.
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ACCEPTED_REFUSALS",
    "ADOPTED_MAX",
    "BOOK_DEPTHS",
    "CHANNELS",
    "CHECKSUM_LEVELS",
    "DEPTH_PATH",
    "FACTS",
    "HISTORY_MARGIN_S",
    "HISTORY_PATH",
    "HISTORY_TRADES",
    "INSTRUMENTS_PATH",
    "INTERVALS",
    "LIMITS",
    "NEVER_REFUSALS",
    "OLD_CURRENCIES",
    "REQUESTS_MAX",
    "STALE_CHANNEL_S",
    "SYMBOL_CHARS_MAX",
    "V1_EVENTS",
]

# ---- channels

BOOK_DEPTHS = {"book": 1000, "book10": 10, "book25": 25, "book100": 100, "book500": 500}
"""Levels of each side of the book channels ("Book (Level 2)")."""

INTERVALS = {
    "1m": 1,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "4h": 240,
    "1d": 1440,
    "1w": 10080,
    "15d": 21600,
}
"""Intervals of bars, in minutes ("OHLC")."""

CHANNELS = {
    "trade": "trade",
    "quote": "ticker-bbo",
    "ticker": "ticker-trades",
    **{channel: f"book-{depth}" for channel, depth in BOOK_DEPTHS.items()},
    **{f"bar_{interval}": f"ohlc-{minutes}" for interval, minutes in INTERVALS.items()},
}
"""Configuration channel to the exchange's, with the parameter that distinguishes subscriptions of one channel: the
event that triggers a ticker, the depth of a book, the minutes of a bar."""

CHECKSUM_LEVELS = 10
"""Levels of each side that a checksum covers, whatever the depth (guide "Book Checksum")."""

# ---- limits

STALE_CHANNEL_S = {**dict.fromkeys(BOOK_DEPTHS, 120.0), "quote": 300.0}
"""Seconds without data after which a topic of this channel is stale. Quiet pairs rest for minutes; tickers, trades and
bars follow trades, and may rest for hours."""

LIMITS = Limits(  # sources: FACTS
    silence_s=10.0,
    send_interval_s=0.1,
    topics_per_request=100,
    connects=Budget(100, 600.0),
    rest_weight=Budget(1, 1.0),
    stale_channel_s=STALE_CHANNEL_S,
)

INSTRUMENTS_PATH = "/0/public/AssetPairs"
DEPTH_PATH = "/0/public/Depth"

HISTORY_PATH = "/0/public/Trades"
HISTORY_TRADES = 1_000
"""Past trades in one answer, at most ("Get Recent Trades")."""
HISTORY_MARGIN_S = 5
"""Seconds before the last trade was received from which past trades are requested: it happened a little earlier."""

# ---- facts for people, and the sources of the limits

_CHECKSUM = "CRC32 of 10 levels"

FACTS = VenueFacts(
    title="Kraken spot",
    documentation="Kraken API Center: Spot WebSockets v2, Spot REST; WebSocket v1 for recordings",
    keep_alive="The exchange sends a heartbeat about each second while nothing else flows",
    books={
        channel: BookFacts(snapshot="stream", levels=depth, checksum=_CHECKSUM)
        for channel, depth in BOOK_DEPTHS.items()
    },
    backfill={"trade": "1,000 trades a request, from a time"},
    remarks={
        "book": "One depth on a connection; levels that leave the depth are removed by the published updates",
        "quote": "The ticker at each change of the best bid and ask; not together with `ticker` on one connection",
        "ticker": "At each trade",
        "bar": "Only running bars are sent; a bar is published as closed when the next one begins",
    },
    absent={
        "funding": "spot only; see kraken_futures",
        "mark_price": "spot only; see kraken_futures",
        "open_interest": "spot only; see kraken_futures",
        "liquidation": "spot only; see kraken_futures",
    },
    sources={
        "silence_s": "Heartbeat: about one each second; ten of them missed",
        "send_interval_s": "ours; the exchange limits the rate of messages without naming a figure",
        "connects": "Spot WebSockets Introduction: about 150 in 10 minutes for an address, with a margin",
        "rest_weight": "Spot REST Rate Limits: public requests, about one each second",
        "stale_channel_s": "ours: quiet pairs rest for minutes; tickers, trades and bars follow trades",
        "keep_alive": "Heartbeat",
        "books": "Book (Level 2); guide Book Checksum",
        "backfill": "Get Recent Trades",
    },
)

# ---- refusals

ACCEPTED_REFUSALS = ("Already subscribed", "Subscription Not Found", "Not subscribed")
"""Beginnings of refusals after which the subscription is as it was requested."""

NEVER_REFUSALS = (
    "not supported",
    "must be",
    "malformed",
    "invalid",
    "missing",
    "token",
    "permission denied",
    "not found",
)
"""Parts of refusals, in lower case, that no retry changes: an unknown pair, a wrong argument, a channel that needs a
token. All others are retried later, such as ``Exceeded msg rate``, ``EService:Unavailable`` and ``Internal error``."""

V1_EVENTS = frozenset({"heartbeat", "systemStatus", "subscriptionStatus", "pong"})
"""Events of WebSocket v1 that recordings have beside the data."""

# ---- bounds of ours

REQUESTS_MAX = 1_000
"""Requests whose topics are remembered in case they are refused; beyond it the oldest is forgotten."""

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

# ---- symbols

SYMBOL_CHARS_MAX = 64

OLD_CURRENCIES = {"XBT": "BTC", "XDG": "DOGE"}
"""Currencies that WebSocket v1 and REST name otherwise than v2."""
