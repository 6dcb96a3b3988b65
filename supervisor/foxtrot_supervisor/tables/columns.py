"""The tables of a recording: one for each kind of event, with its columns. Pure, and without any library of tables.

A column's name is the field's of `foxtrot_protocol.events`, with two exceptions: times (``receive_ns``) are columns of
a time type (``receive_time``), and every number has three columns (`numbers`).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

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

__all__ = ["COMMON", "TABLES", "TABLE_OF_EVENT", "Column", "ColumnType", "Table"]

ColumnType: TypeAlias = Literal["text", "number", "levels", "time", "flag", "integer", "real"]
"""What a column holds.

* ``text``: text, or null
* ``number``: decimal text, in the three columns of `numbers`
* ``levels``: a list of price and size, each with these three columns, best first
* ``time``: ns since 1970 UTC; null where the field is 0, which means unknown
* ``flag``: true or false
* ``integer``: 64 bits with sign, or null
* ``real``: a float of 64 bits
"""


class Column(Struct, frozen=True):
    """One column."""

    name: str
    type: ColumnType
    field: str
    """Field of the event; "" for what comes from the row or from the event's class."""
    meaning: str


class Table(Struct, frozen=True):
    """One kind of event."""

    kind: str
    """As in ``events --json``, and in the paths of files."""
    view: str
    """Name of the view that ``foxtrot-supervisor query`` makes."""
    events: tuple[type, ...]
    columns: tuple[Column, ...]
    """All columns, in order, those of `COMMON` first."""


COMMON: tuple[Column, ...] = (
    Column("row", "integer", "", "number of the row in the sink's spool, ascending in the order of arrival"),
    Column("key", "text", "", "identity of the event: the same event has the same key in every process"),
    Column("connection", "text", "", "connection that brought it; empty if several may have, or none"),
    Column("symbol", "text", "symbol", "as the exchange writes it"),
    Column("exchange_time", "time", "exchange_ns", "the exchange's time of the event; null if it sends none"),
    Column("receive_time", "time", "receive_ns", "when the worker had read the frame"),
    Column("publish_time", "time", "publish_ns", "when the worker sent the batch"),
    Column("redelivered", "flag", "redelivered", "was in flight when its receiver died, so others may have seen it"),
    Column("backfilled", "flag", "backfilled", "missed when it happened and fetched later; newer ones came before"),
)
"""Columns of every table. The columns day, exchange, kind and bucket are in the paths of files (`layout`)."""


def _number(name: str, meaning: str) -> Column:
    return Column(name, "number", name, meaning)


def _text(name: str, meaning: str) -> Column:
    return Column(name, "text", name, meaning)


def _table(kind: str, view: str, events: tuple[type, ...], *columns: Column) -> Table:
    return Table(kind, view, events, (*COMMON, *columns))


_SIDE = _text("side", "the taker's: buy or sell")

_BEST = (
    _number("bid", "best bid; null on an empty side"),
    _number("bid_size", "its size"),
    _number("ask", "best ask; null on an empty side"),
    _number("ask_size", "its size"),
)

_ALL_TABLES = (
    _table(
        "trade",
        "trades",
        (Trade,),
        _number("price", "in quote units"),
        _number("size", "in base units, or in contracts"),
        _SIDE,
        _text("trade_id", "the exchange's identifier; empty if it sends none"),
        Column("count", "integer", "count", "fills that it stands for"),
    ),
    _table("quote", "quotes", (Quote,), *_BEST, _text("update_id", "the exchange's identifier; empty if none")),
    _table(
        "book",
        "books",
        (BookSnapshot, BookDelta),
        Column("type", "text", "", "snapshot (replaces the book) or delta (changed levels; size 0 removes one)"),
        Column("bids", "levels", "bids", "levels, best first"),
        Column("asks", "levels", "asks", "levels, best first"),
        _text("first_id", "identifier of the first update in it, or of the one before where the exchange chains them"),
        _text("last_id", "identifier of the last update in it"),
        Column("checksum", "integer", "checksum", "the exchange's, of the book after it"),
    ),
    _table(
        "ticker",
        "tickers",
        (Ticker,),
        *(_number(name, "of the last 24 hours") for name in ("last", "open", "high", "low", "volume", "turnover")),
        *_BEST,
    ),
    _table(
        "candle",
        "candles",
        (Bar,),
        _text("interval", "such as 1m"),
        Column("start_time", "time", "start_ns", "begin of the candle"),
        *(_number(name, "") for name in ("open", "high", "low", "close", "volume")),
        Column("closed", "flag", "closed", "false while it runs"),
    ),
    _table(
        "funding",
        "funding",
        (Funding,),
        _number("rate", "as a fraction: 0.0001 is 0.01 %"),
        Column("next_time", "time", "next_ns", "when it is due"),
    ),
    _table("mark_price", "mark_prices", (MarkPrice,), _number("price", "in quote units")),
    _table("open_interest", "open_interest", (OpenInterest,), _number("size", "in the exchange's own unit")),
    _table(
        "liquidation",
        "liquidations",
        (Liquidation,),
        _text("side", "of the forced order: a liquidated long position sells"),
        _number("price", "in quote units"),
        _number("size", "in base units, or in contracts"),
    ),
    _table(
        "status",
        "feed_states",
        (FeedStatus,),
        _text("topic", "the exchange's name of it"),
        _text("state", "as docs/events.md lists them"),
        Column("age_s", "real", "age_s", "seconds since the topic's latest data, or since it was requested"),
    ),
    _table(
        "gap",
        "gaps",
        (Gap,),
        _text("stream", "event type concerned, empty if any may be"),
        _text("first_id", "first missing identifier; null if unknown"),
        _text("last_id", "last missing identifier; null if unknown"),
        Column("start_time", "time", "start_ns", "receive time of the event before the hole; null if unknown"),
        Column("end_time", "time", "end_ns", "receive time of the event after the hole; null if unknown"),
        _text("cause", "for people"),
        Column("filled", "flag", "filled", "what was missing has come"),
    ),
)

TABLES: dict[str, Table] = {table.kind: table for table in _ALL_TABLES}
"""All tables by kind."""

TABLE_OF_EVENT: dict[type, Table] = {event: table for table in _ALL_TABLES for event in table.events}
"""The table of each event class."""
