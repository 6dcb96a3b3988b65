"""Rows for sinks: events of every kind, with symbols and numbers that stores have to take as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_protocol.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Funding,
    Gap,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_supervisor.sinks.keys import EventKeys
from foxtrot_supervisor.sinks.sink import KINDS_OF_EVENTS, SinkRow

__all__ = ["NOW_NS", "every_kind", "rows_of", "trade_rows", "with_event"]

NOW_NS = 1_780_000_000_123_456_789

_SYMBOLS = ("BTCUSDT", "BTC-USD", "XBT/USD", "币安人生USDT", "a.b*c>d e\\\t\n\"'", "{x,NULL}", "%5F", "_", "")


def rows_of(events: Sequence[Any], first: int = 1) -> list[SinkRow]:
    """Rows of these events, numbered from `first`."""
    keys = EventKeys()
    return [
        SinkRow(number, keys.key(event), "one", event.exchange, KINDS_OF_EVENTS[type(event)], event.symbol, event)
        for number, event in enumerate(events, first)
    ]


def trade_rows(first: int, count: int, receive_ns: int = NOW_NS) -> list[SinkRow]:
    """Rows of trades; equal arguments make equal rows."""
    return rows_of(
        [
            Trade("SIM", "BTCUSDT", NOW_NS + 1000 * number, receive_ns + number, "100.10", "0.50", "buy", str(number))
            for number in range(first, first + count)
        ],
        first,
    )


def every_kind(first: int = 1) -> list[SinkRow]:
    """Rows of every kind, for several symbols each."""
    events: list[Any] = []
    for symbol in _SYMBOLS:
        common: tuple[Any, ...] = ("SIM", symbol, NOW_NS, NOW_NS + 7)
        events += [
            Trade(*common, "0.00000001", "12345678901234567890.123456789", "sell", "1", count=3),
            Quote(*common, "1.10", None, "1E-8", "2", "77"),
            Quote(*common, None, None, None, None, ""),
            BookSnapshot(*common, [("100.1", "2"), ("99", "0.30")], [], None, None, 4_294_967_295),
            BookDelta(*common, [], [("100.2", "0")], "5", "6", None, redelivered=True),
            Ticker(*common, "1", None, "2", "3", None, "4.00"),
            Bar(*common, "1m", NOW_NS, "1", "2", "0.5", "1.5", "1000", True),
            Funding(*common, "-0.0001", 0),
            MarkPrice(*common, "-0.5", backfilled=True),
            OpenInterest(*common, "1000000"),
            Liquidation(*common, "buy", "1", "2"),
            FeedStatus(*common, "trade@\x01", "flowing", 0.25),
            Gap(*common, "eBook.", None, "9", 0, NOW_NS, 'lost: "a, b"\nand more'),
        ]
    events.append(Gap("", "", 0, NOW_NS, "", None, None, 0, 0, "a whole connection"))
    return rows_of(events, first)


def with_event(row: SinkRow, **changes: Any) -> SinkRow:
    """The row with fields of its event changed, its key as it was."""
    return msgspec.structs.replace(row, event=msgspec.structs.replace(row.event, **changes))
