"""Parsers: each is made for one topic, and appends the events that a message of its channel means.

A frame is decoded and taken apart before (`messages.channel_message`): only then is its channel known.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, TypeAlias

import msgspec

from foxtrot_protocol.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    Funding,
    Liquidation,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Ticker,
)
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.number_text import number_text, optional_number_text
from foxtrot_workers.adapter.quote_side import price_or_none
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.bitfinex.books import book_checksum, sides_of
from foxtrot_workers.exchanges.bitfinex.constants import CHECKSUMS_WRONG_MAX, INTERVALS, LEVELS_KEPT, LIQUIDATION_TOPIC
from foxtrot_workers.exchanges.bitfinex.history import trade_of
from foxtrot_workers.exchanges.bitfinex.instruments import is_possible_symbol
from foxtrot_workers.exchanges.bitfinex.messages import ChannelMessage, millis_ns, row_of, rows_of

__all__ = ["ChannelParser", "OpenBook", "make_parser", "symbol_of"]

ChannelParser: TypeAlias = Callable[[ChannelMessage, int, list[MarketEvent[str]]], None]
"""Called with a message of the channel, its receive time (nanoseconds since 1970), and the list that receives its
events. Raises `msgspec.ValidationError`."""

OpenBook: TypeAlias = Callable[[str, ChainedBook], None]
"""Called with the topic and the book of a new parser."""


def symbol_of(topic: str) -> str:
    """Return the symbol of a topic; "" if it has none that is possible, or is of an unknown form."""
    match _split(topic):
        case ["book", symbol, precision, _, _] if precision in ("P0", "P1", "P2", "P3", "P4"):
            found = symbol
        case ["ticker" | "trades", symbol]:
            found = symbol
        case ["candles", "trade", interval, symbol] if interval in INTERVALS.values():
            found = symbol
        case ["status", "deriv", symbol]:
            found = symbol
        case _:
            return ""
    return found if is_possible_symbol(found) else ""


def _split(topic: str) -> list[str]:
    """Split a topic at its colons, but not within a symbol, which may have one too."""
    parts = topic.split(":")
    joined: list[str] = []
    for part in parts:
        if joined and joined[-1].startswith("t") and joined[-1][1:].isupper() and part.isupper() and len(part) > 2:
            joined[-1] += ":" + part
        else:
            joined.append(part)
    return joined


def make_parser(adapter: Adapter, topic: str, channels: Container[str], open_book: OpenBook) -> ChannelParser | None:
    """Return the parser of `topic`; None if its form is unknown or its symbol impossible.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns`, `notices` and `adopt` are what the parser uses.
        topic: as `requests` names it.
        channels: those that are wanted of a topic that carries several; symbols, for liquidations.
        open_book: keeps the book of the topic.
    """
    if topic == LIQUIDATION_TOPIC:
        return _liquidations_parser(adapter, topic, channels)
    symbol = symbol_of(topic)
    if not symbol:
        return None
    kind, _, rest = topic.partition(":")
    if kind == "trades":
        return _trades_parser(adapter, symbol, topic)
    if kind == "ticker":
        return _tickers_parser(adapter, symbol, topic)
    if kind == "book":
        return _books_parser(adapter, symbol, topic, open_book)
    if kind == "candles":
        return _bars_parser(adapter, symbol, topic, _INTERVALS[rest.split(":")[1]])
    return _status_parser(adapter, symbol, topic, channels)


_INTERVALS = {name: interval for interval, name in INTERVALS.items()}


def _trades_parser(adapter: Adapter, symbol: str, wire: str) -> ChannelParser:
    """Each trade is sent twice, as ``te`` and a little later as ``tu``: the first counts."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_trades(message: ChannelMessage, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if message.kind == "te":
            out.append(trade_of(exchange, symbol, receive_ns, message.payload))
        elif not message.kind:  # past trades, newest first
            rows = row_of(message.payload, 0)
            out.extend([trade_of(exchange, symbol, receive_ns, row) for row in reversed(rows)])
        elif message.kind != "tu":
            raise msgspec.ValidationError(f"unknown kind of trade message: {message.kind[:40]!r}")
        last_data_ns[wire] = receive_ns

    return parse_trades


def _tickers_parser(adapter: Adapter, symbol: str, wire: str) -> ChannelParser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_tickers(message: ChannelMessage, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        bid, bid_size, ask, ask_size, _, _, last, volume, high, low, *_ = row_of(message.payload, 10)
        out.append(
            Ticker(
                exchange,
                symbol,
                message.time_ns,
                receive_ns,
                optional_number_text(last),
                None,
                optional_number_text(high),
                optional_number_text(low),
                optional_number_text(volume),
                None,
                price_or_none(optional_number_text(bid)),
                optional_number_text(bid_size),
                price_or_none(optional_number_text(ask)),
                optional_number_text(ask_size),
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_tickers


def _books_parser(adapter: Adapter, symbol: str, wire: str, open_book: OpenBook) -> ChannelParser:
    exchange, notices = adapter.exchange, adapter.notices
    last_data_ns, held_ns = adapter.last_data_ns, adapter.held_ns
    book = ChainedBook(exchange, symbol, wire, book_checksum, depth=LEVELS_KEPT)
    open_book(wire, book)
    wrong = 0
    """Consecutive checksums that were wrong."""

    def parse_books(message: ChannelMessage, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if message.kind == "cs":
            _check(message, receive_ns, out)
            return
        if message.kind:
            raise msgspec.ValidationError(f"unknown kind of book message: {message.kind[:40]!r}")
        last_id = None if message.sequence is None else str(message.sequence)
        whole_book, rows = rows_of(message.payload)
        bids, asks = sides_of(rows)
        if whole_book:
            snapshot = BookSnapshot(exchange, symbol, message.time_ns, receive_ns, bids, asks, None, last_id, None)
            book.snapshot(snapshot, None, out, notices)
        else:
            delta = BookDelta(exchange, symbol, message.time_ns, receive_ns, bids, asks, None, last_id, None)
            book.update(delta, None, None, out, notices)
        if book.live:  # a book that waits for its snapshot has no data yet
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    def _check(message: ChannelMessage, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """A checksum stands alone, behind the updates that it covers: it makes no event unless it is wrong."""
        nonlocal wrong
        checksum = message.payload
        if type(checksum) is not int or not -(2**31) <= checksum < 2**32:
            raise msgspec.ValidationError("not a checksum")
        if not book.live or wrong >= CHECKSUMS_WRONG_MAX:
            return
        check: BookDelta[str] = BookDelta(
            exchange, symbol, message.time_ns, receive_ns, [], [], None, None, checksum & 0xFFFFFFFF
        )
        events: list[MarketEvent[str]] = []
        book.update(check, None, None, events, notices)
        wrong = 0 if book.live else wrong + 1
        out.extend([event for event in events if event is not check])

    return parse_books


def _bars_parser(adapter: Adapter, symbol: str, wire: str, interval: str) -> ChannelParser:
    """Nothing on the wire says that a bar is closed; one before the newest is."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    newest_ns = 0

    def parse_bars(message: ChannelMessage, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        nonlocal newest_ns
        if message.kind:
            raise msgspec.ValidationError(f"unknown kind of bar message: {message.kind[:40]!r}")
        _, rows = rows_of(message.payload)
        bars = [_bar(row, receive_ns, message.time_ns) for row in reversed(rows)]  # past bars come newest first
        newest_ns = max([newest_ns, *(bar.start_ns for bar in bars)])
        out.extend([msgspec.structs.replace(bar, closed=True) if bar.start_ns < newest_ns else bar for bar in bars])
        last_data_ns[wire] = receive_ns

    def _bar(row: Any, receive_ns: int, time_ns: int) -> Bar[str]:
        start, opened, closed, high, low, volume, *_ = row_of(row, 6)
        return Bar(
            exchange,
            symbol,
            time_ns,
            receive_ns,
            interval,
            millis_ns(start),
            number_text(opened),
            number_text(high),
            number_text(low),
            number_text(closed),
            number_text(volume),
            False,
        )

    return parse_bars


_NEXT_FUNDING, _FUNDING, _MARK_PRICE, _OPEN_INTEREST = 7, 11, 14, 17
"""Places in the status of a derivative."""


def _status_parser(adapter: Adapter, symbol: str, wire: str, channels: Container[str]) -> ChannelParser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    wanted = {
        channel: shared_wire(wire, channel)
        for channel in ("funding", "mark_price", "open_interest")
        if adapter.adopt or channel in channels
    }

    def parse_status(message: ChannelMessage, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if message.kind:
            raise msgspec.ValidationError(f"unknown kind of status message: {message.kind[:40]!r}")
        row = row_of(message.payload, _OPEN_INTEREST + 1)
        time_ns = millis_ns(row[0])
        events: dict[str, MarketEvent[str]] = {}
        if "funding" in wanted and row[_FUNDING] is not None:
            due_ns = 0 if row[_NEXT_FUNDING] is None else millis_ns(row[_NEXT_FUNDING])
            events["funding"] = Funding(exchange, symbol, time_ns, receive_ns, number_text(row[_FUNDING]), due_ns)
        if "mark_price" in wanted and row[_MARK_PRICE] is not None:
            events["mark_price"] = MarkPrice(exchange, symbol, time_ns, receive_ns, number_text(row[_MARK_PRICE]))
        if "open_interest" in wanted and row[_OPEN_INTEREST] is not None:
            size = number_text(row[_OPEN_INTEREST])
            events["open_interest"] = OpenInterest(exchange, symbol, time_ns, receive_ns, size)
        for channel, event in events.items():
            out.append(event)
            last_data_ns[wanted[channel]] = receive_ns

    return parse_status


def _liquidations_parser(adapter: Adapter, topic: str, symbols: Container[str]) -> ChannelParser:
    """Rows ``["pos", id, ms, -, symbol, amount, base price, -, match, …]``; the first of a liquidation has match 0.

    An amount below 0 means that a short position was closed, by buying.
    """
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_liquidations(message: ChannelMessage, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if message.kind:
            raise msgspec.ValidationError(f"unknown kind of liquidation message: {message.kind[:40]!r}")
        events: list[Liquidation[str]] = []
        for value in row_of(message.payload, 0):
            row = row_of(value, 9)
            symbol = row[4]
            if row[8] != 0 or type(symbol) is not str or not (adapter.adopt or symbol in symbols):
                continue
            if not is_possible_symbol(symbol):
                raise msgspec.ValidationError("not a symbol")
            size = number_text(row[5])
            short = size.startswith("-")
            events.append(
                Liquidation(
                    exchange,
                    symbol,
                    millis_ns(row[2]),
                    receive_ns,
                    "buy" if short else "sell",
                    number_text(row[6]),
                    size.removeprefix("-"),
                )
            )
        for event in events:
            out.append(event)
            last_data_ns[shared_wire(topic, event.symbol)] = receive_ns

    return parse_liquidations
