"""What Bitfinex's documents say: channels, limits, flags, error codes. Data only.

Sources: Bitfinex API v2, "General" (limits, flags, info and error codes), "Public Channels" (channels), "WebSocket
Checksum".
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "ALREADY_SUBSCRIBED",
    "BOOK_CHANNELS",
    "BOOK_LENGTHS",
    "CHECKSUMS_WRONG_MAX",
    "CHECKSUM_LEVELS",
    "CLOSE_CODES",
    "CONF_FLAGS",
    "DERIVATIVE_CHANNELS",
    "FACTS",
    "HISTORY_TRADES",
    "INTERVALS",
    "LEAPS_MAX",
    "LEVELS_KEPT",
    "LIMITS",
    "LIQUIDATION_TOPIC",
    "MS",
    "NEVER_CODES",
    "OTHER_CHANNELS",
    "REASON_CHARS",
    "SYMBOL_CHARS_MAX",
    "TIME_MS_MIN",
]

MS = 1_000_000
"""Nanoseconds in a millisecond."""

# ---- channels

INTERVALS = {
    "1m": "1m",
    "5m": "5m",
    "15m": "15m",
    "30m": "30m",
    "1h": "1h",
    "3h": "3h",
    "6h": "6h",
    "12h": "12h",
    "1d": "1D",
    "1w": "1W",
    "2w": "14D",
    "1M": "1M",
}
"""Interval of bars to the exchange's ("Candles")."""

BOOK_LENGTHS = {"book": "100", "book1": "1", "book25": "25", "book250": "250"}
"""Book channel to the levels of each side ("Books"), in real time and not grouped."""

BOOK_CHANNELS = frozenset(BOOK_LENGTHS)

DERIVATIVE_CHANNELS = frozenset({"funding", "mark_price", "open_interest"})
"""Carried by one topic, the status of a derivative ("Status")."""

OTHER_CHANNELS = ("trade", "ticker", "liquidation", *(f"bar_{interval}" for interval in INTERVALS))

LIQUIDATION_TOPIC = "status:liq:global"
"""The liquidations of all derivatives; there is no topic for one of them."""

# ---- limits

CONF_FLAGS = 32768 | 65536 | 131072
"""Flags that are set first: time of sending, sequence, book checksums ("Conf Flags")."""

LIMITS = Limits(  # sources: FACTS
    silence_s=30.0,
    send_interval_s=0.1,
    topics_max=25,
    topics_per_request=1,
    connects=Budget(20, 60.0),
    rest_weight=Budget(30, 60.0),
    stale_channel_s={**dict.fromkeys(BOOK_CHANNELS, 120.0), **dict.fromkeys(("mark_price", "open_interest"), 120.0)},
)

CHECKSUM_LEVELS = 25
"""Levels of each side that a checksum covers ("WebSocket Checksum")."""

HISTORY_TRADES = 5_000
"""Past trades of one request; 10,000 are allowed ("Trades")."""

# ---- refusals and notices

NEVER_CODES = frozenset({10000, 10001, 10302})
"""Errors that no retry changes: unknown event, unknown pair, unknown channel ("Error Codes"). So is 10300 if its text
says that an argument is invalid. All others are retried later, such as 10305 (too many channels)."""

ALREADY_SUBSCRIBED = 10301

CLOSE_CODES = frozenset({20051, 20061})
"""Notices after which a new connection is needed: the server stops; maintenance has ended ("Info Codes")."""

# ---- bounds of ours

TIME_MS_MIN = 10**12
"""A whole number behind a message is its sequence below this, else its time in milliseconds (2001 or later)."""

LEAPS_MAX = 3
"""Leaps of the sequence, none of which a book of the connection has explained, after which it is no longer believed: a
recording may lack channels."""

CHECKSUMS_WRONG_MAX = 3
"""Consecutive wrong checksums of one book, each after a fresh snapshot, after which they are not compared any more: the
rule that computes them is at fault then, and resynchronizing for ever would help nobody."""

LEVELS_KEPT = 1_000
"""Levels of each side of a book that are kept for its checksum; a book has at most 250."""

REASON_CHARS = 200
"""Characters of an error's text that are passed on."""

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

SYMBOL_CHARS_MAX = 64

# ---- facts for people, and the sources of the limits

_BOOK_ORDER = "sequence of the connection = previous + 1"
_CHECKSUM = f"CRC32 of {CHECKSUM_LEVELS} levels"

FACTS = VenueFacts(
    title="Bitfinex",
    documentation="Bitfinex API v2: General, Public Channels, WebSocket Checksum",
    keep_alive="The exchange sends a heartbeat on each channel that is silent for 15 s",
    closes="Info code 20051 before the server stops, 20061 after maintenance",
    books={
        channel: BookFacts(snapshot="stream", levels=int(length), order=_BOOK_ORDER, checksum=_CHECKSUM)
        for channel, length in BOOK_LENGTHS.items()
    },
    backfill={"trade": "5,000 trades a request, by time"},
    remarks={
        "trade": "The first message has past trades",
        "book": "A leap of the connection's sequence resynchronizes all its books",
        "liquidation": "One topic for all derivatives: the first trigger of each liquidation, at its base price",
        "bar": "Nothing says that a bar is closed, except that a later one has begun",
    },
    absent={"quote": "the ticker has best bid and ask; `book1` the best level"},
    sources={
        "silence_s": "Public Channels: a heartbeat each 15 s; two missed",
        "send_interval_s": "ours: not stated",
        "topics_max": "General: 25 channels a connection",
        "topics_per_request": "Public Channels: a request names one topic",
        "connects": "General: 20 connections a minute",
        "rest_weight": "Requirements and Limitations: 10 to 90 requests a minute, by path",
        "stale_channel_s": "ours: books of liquid pairs change each second",
        "keep_alive": "Public Channels",
        "closes": "General, Info Codes",
        "books": "Public Channels, Books; Conf Flags; WebSocket Checksum",
        "backfill": "REST Public, Trades",
    },
)
