"""Parsers: each is made for one table, and appends the events that a frame of it means."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from foxtrot_protocol.events import (
    Bar,
    BookSnapshot,
    Funding,
    Liquidation,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Quote,
    Side,
    Trade,
)
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.iso_time import iso_ns
from foxtrot_workers.adapter.number_text import level_texts, number_text, optional_number_text
from foxtrot_workers.adapter.quote_side import quoted
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.bitmex.books import LevelBook
from foxtrot_workers.exchanges.bitmex.constants import INTERVAL_NS
from foxtrot_workers.exchanges.bitmex.messages import (
    BookRow,
    decode_bins,
    decode_books,
    decode_funding,
    decode_instruments,
    decode_liquidations,
    decode_quotes,
    decode_ten_levels,
    decode_trades,
)

__all__ = ["FACTORIES", "Channels"]

Channels: TypeAlias = Callable[[str, str], frozenset[str]]
"""``(table, symbol)``: the channels of this topic that are published, "" for its own. Raises `UnrecognizedFrame` if it
was not subscribed."""


def _trades_parser(adapter: Adapter, table: str, channels: Channels) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_trades(frame)
        trades: list[MarketEvent[str]] = []
        for row in push.data:
            channels(table, row.symbol)
            trades.append(
                Trade(
                    exchange,
                    row.symbol,
                    iso_ns(row.timestamp),
                    receive_ns,
                    number_text(row.price),
                    number_text(row.size),
                    "buy" if row.side == "Buy" else "sell",
                    row.trade_id,
                )
            )
        if push.action == "insert":  # the first frame has an old trade
            out += trades
        for trade in trades:
            last_data_ns[f"{table}:{trade.symbol}"] = receive_ns

    return parse_trades


def _quotes_parser(adapter: Adapter, table: str, channels: Channels) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_quotes(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        quotes: list[MarketEvent[str]] = []
        for row in decode_quotes(frame).data:
            channels(table, row.symbol)
            bid, bid_size = quoted(optional_number_text(row.bid), optional_number_text(row.bid_size))
            ask, ask_size = quoted(optional_number_text(row.ask), optional_number_text(row.ask_size))
            time_ns = iso_ns(row.timestamp)
            quotes.append(Quote(exchange, row.symbol, time_ns, receive_ns, bid, bid_size, ask, ask_size, ""))
        out += quotes
        for quote in quotes:
            last_data_ns[f"{table}:{quote.symbol}"] = receive_ns

    return parse_quotes


def _books_parser(adapter: Adapter, table: str, channels: Channels) -> Parser:
    exchange, last_data_ns, held_ns, notices = adapter.exchange, adapter.last_data_ns, adapter.held_ns, adapter.notices
    books: dict[str, LevelBook] = {}

    def parse_books(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_books(frame)
        by_symbol: dict[str, list[BookRow]] = {}
        if push.filter is not None and push.filter.symbol:
            by_symbol[push.filter.symbol] = []  # the whole book may be empty
        for row in push.data:
            by_symbol.setdefault(row.symbol, []).append(row)
        for symbol in by_symbol:
            channels(table, symbol)
        events: list[MarketEvent[str]] = []
        for symbol, rows in by_symbol.items():
            wire = f"{table}:{symbol}"
            book = books.get(symbol)
            if book is None:
                book = books[symbol] = LevelBook(exchange, symbol, wire)
            if push.action == "partial":
                book.snapshot(rows, receive_ns, events, notices)
            else:
                book.change(push.action, rows, receive_ns, events, notices)
            if book.live:
                last_data_ns[wire] = receive_ns
            else:
                held_ns[wire] = receive_ns
        out += events

    return parse_books


def _ten_levels_parser(adapter: Adapter, table: str, channels: Channels) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_ten_levels(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        books: list[MarketEvent[str]] = []
        for row in decode_ten_levels(frame).data:
            channels(table, row.symbol)
            bids, asks, time_ns = level_texts(row.bids), level_texts(row.asks), iso_ns(row.timestamp)
            books.append(BookSnapshot(exchange, row.symbol, time_ns, receive_ns, bids, asks, None, None, None))
        out += books
        for book in books:
            last_data_ns[f"{table}:{book.symbol}"] = receive_ns

    return parse_ten_levels


def _instruments_parser(adapter: Adapter, table: str, channels: Channels) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_instruments(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        events: list[MarketEvent[str]] = []
        wires: list[str] = []
        for row in decode_instruments(frame).data:
            published = channels(table, row.symbol)
            wire = f"{table}:{row.symbol}"
            time_ns = 0 if row.timestamp is None else iso_ns(row.timestamp)
            price, size = optional_number_text(row.mark_price), optional_number_text(row.open_interest)
            if price is not None and "" in published:
                events.append(MarkPrice(exchange, row.symbol, time_ns, receive_ns, price))
                wires.append(wire)
            if size is not None and "open_interest" in published:
                events.append(OpenInterest(exchange, row.symbol, time_ns, receive_ns, size))
                wires.append(shared_wire(wire, "open_interest"))
        out += events
        for wire in wires:
            last_data_ns[wire] = receive_ns

    return parse_instruments


def _funding_parser(adapter: Adapter, table: str, channels: Channels) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_funding(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        events: list[MarketEvent[str]] = []
        for row in decode_funding(frame).data:
            channels(table, row.symbol)
            rate = number_text(row.rate)
            events.append(Funding(exchange, row.symbol, iso_ns(row.timestamp), receive_ns, rate, 0))
        out += events
        for event in events:
            last_data_ns[f"{table}:{event.symbol}"] = receive_ns

    return parse_funding


def _liquidations_parser(adapter: Adapter, table: str, channels: Channels) -> Parser:
    """Orders are inserted once, and then change or go: the insertion is the event."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_liquidations(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_liquidations(frame)
        events: list[MarketEvent[str]] = []
        for row in push.data:
            channels(table, row.symbol)
            if push.action == "insert" and row.side is not None:
                side: Side = "buy" if row.side == "Buy" else "sell"
                price, size = number_text(row.price), number_text(row.size)
                events.append(Liquidation(exchange, row.symbol, 0, receive_ns, side, price, size))
        out += events
        for event in events:
            last_data_ns[f"{table}:{event.symbol}"] = receive_ns

    return parse_liquidations


def _bins_parser(adapter: Adapter, table: str, channels: Channels) -> Parser:
    """A bar comes once, when it has ended."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    interval = table.removeprefix("tradeBin")
    length_ns = INTERVAL_NS[interval]

    def parse_bars(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_bins(frame)
        bars: list[MarketEvent[str]] = []
        for row in push.data:
            channels(table, row.symbol)
            end_ns = iso_ns(row.timestamp)
            figures = [number_text(each) for each in (row.open, row.high, row.low, row.close, row.volume)]
            bars.append(
                Bar(
                    exchange,
                    row.symbol,
                    end_ns,
                    receive_ns,
                    interval,
                    max(0, end_ns - length_ns),
                    figures[0],
                    figures[1],
                    figures[2],
                    figures[3],
                    figures[4],
                    True,
                )
            )
        out += bars
        for bar in bars:
            last_data_ns[f"{table}:{bar.symbol}"] = receive_ns

    return parse_bars


FACTORIES: dict[str, Callable[[Adapter, str, Channels], Parser]] = {
    "trade": _trades_parser,
    "quote": _quotes_parser,
    "orderBookL2": _books_parser,
    "orderBookL2_25": _books_parser,
    "orderBook10": _ten_levels_parser,
    "instrument": _instruments_parser,
    "funding": _funding_parser,
    "liquidation": _liquidations_parser,
    **{f"tradeBin{interval}": _bins_parser for interval in INTERVAL_NS},
}
"""By table."""
