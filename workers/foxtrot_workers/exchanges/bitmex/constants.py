"""What BitMEX's documents said: channels and limits. Data only.

Sources: "Websocket API", "REST API" (instruments), announcement of 23 July 2026 (closure).
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "BOOK_CHANNELS",
    "CHANNELS",
    "CLOSED",
    "FACTS",
    "INTERVALS",
    "INTERVAL_NS",
    "LIMITS",
    "MONTHS",
    "SHARED_CHANNELS",
    "SYMBOL_CHARS_MAX",
]

CLOSED = "BitMEX closed on 23 September 2026; its recordings can still be replayed"

INTERVAL_NS = {"1m": 60_000_000_000, "5m": 300_000_000_000, "1h": 3_600_000_000_000, "1d": 86_400_000_000_000}
"""Intervals of bars, in nanoseconds: a bar carries the time of its end."""

INTERVALS = tuple(INTERVAL_NS)

CHANNELS = {
    "trade": "trade",
    "quote": "quote",
    "book": "orderBookL2",
    "book25": "orderBookL2_25",
    "book10": "orderBook10",
    "mark_price": "instrument",
    "open_interest": "instrument",
    "funding": "funding",
    "liquidation": "liquidation",
    **{f"bar_{interval}": f"tradeBin{interval}" for interval in INTERVALS},
}
"""Configuration channel to the exchange's table."""

SHARED_CHANNELS = frozenset({"open_interest"})
"""Channels whose topic belongs to another channel."""

BOOK_CHANNELS = frozenset({"book", "book25", "book10"})

LIMITS = Limits(  # sources: FACTS
    silence_s=15.0,
    ping_text="ping",
    ping_idle_s=5.0,
    connects=Budget(60, 3600.0),
)

FACTS = VenueFacts(
    title="BitMEX (closed on 23 September 2026)",
    documentation="BitMEX, Websocket API",
    keep_alive="Text `ping` after 5 s of silence",
    closes="The exchange has closed: recordings only",
    books={
        "book": BookFacts(snapshot="stream", order="the id of each level, which updates and deletions name"),
        "book25": BookFacts(snapshot="stream", levels=25, order="the id of each level"),
        "book10": BookFacts(snapshot="every", levels=10),
    },
    remarks={"trade": "Sizes are contracts"},
    absent={"ticker": "The instrument table had no complete figures of the day"},
    sources={
        "silence_s": "ours: the pong was due within 5 s",
        "ping_text": "Websocket API, Heartbeats",
        "ping_idle_s": "Websocket API, Heartbeats",
        "connects": "Updates to Rate Limits (BitMEX blog)",
        "keep_alive": "Websocket API, Heartbeats",
        "closes": "Announcement of 23 July 2026",
        "books": "Websocket API, Response Format",
    },
)

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

SYMBOL_CHARS_MAX = 64

MONTHS = "FGHJKMNQUVXZ"
"""The month letters of futures, January to December."""
