"""Parsers: each is made for one topic, and appends the events that a frame of it means.

A parser decodes a frame once, with the type of its channel, and keeps at hand what it needs for each: the hot path
looks up no attribute of the adapter. A ticker carries open interest too; what was not subscribed is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from foxtrot_protocol.events import Bar, Funding, MarketEvent, MarkPrice, OpenInterest, Ticker, Trade
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.number_text import number_text, optional_number_text
from foxtrot_workers.adapter.quote_side import price_or_none
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.crypto_com.books import delta_of, last_id_of, snapshot_of
from foxtrot_workers.exchanges.crypto_com.constants import INTERVALS, MS, OPEN_INTEREST
from foxtrot_workers.exchanges.crypto_com.instruments import is_possible_instrument
from foxtrot_workers.exchanges.crypto_com.messages import (
    FigureRow,
    TickerRow,
    decode_book,
    decode_candles,
    decode_figures,
    decode_tickers,
    decode_trades,
)

__all__ = ["ALL_CHANNELS", "make_parser"]

ALL_CHANNELS = frozenset({"", OPEN_INTEREST})
"""What a ticker carries; "" stands for the ticker itself."""


def make_parser(adapter: Adapter, topic: str, channels: Container[str]) -> Parser | None:
    """Return the parser of `topic`; None if its form is unknown or its instrument impossible.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parser fills in.
        topic: as the exchange names it.
        channels: of `ALL_CHANNELS`, those that are wanted.
    """
    match topic.split("."):
        case ["trade", symbol] if is_possible_instrument(symbol):
            return _trades_parser(adapter, symbol, topic)
        case ["ticker", symbol] if is_possible_instrument(symbol):
            return _tickers_parser(adapter, symbol, topic, channels)
        case ["book", symbol] | ["book", symbol, _] if is_possible_instrument(symbol):
            return _books_parser(adapter, symbol, topic)
        case ["candlestick", interval, symbol] if is_possible_instrument(symbol) and interval in INTERVALS:
            return _bars_parser(adapter, symbol, topic, interval)
        case [("mark" | "funding" | "index") as name, symbol] if is_possible_instrument(symbol):
            return _figures_parser(adapter, symbol, topic, _FIGURES[name])
    return None


def _trades_parser(adapter: Adapter, symbol: str, wire: str) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Trade(
                    exchange,
                    symbol,
                    row.time * MS,
                    receive_ns,
                    number_text(row.price),
                    number_text(row.size),
                    "buy" if row.side in ("BUY", "buy") else "sell",
                    number_text(row.trade_id),
                )
                for row in reversed(decode_trades(frame).result.data)  # newest first on the wire
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_trades


def _tickers_parser(adapter: Adapter, symbol: str, wire: str, channels: Container[str]) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    wants_ticker, wants_interest = "" in channels, OPEN_INTEREST in channels
    interest_wire = shared_wire(wire, OPEN_INTEREST)

    def ticker_of(row: TickerRow, receive_ns: int) -> Ticker[str]:
        return Ticker(
            exchange,
            symbol,
            row.time * MS,
            receive_ns,
            optional_number_text(row.last),
            None,
            optional_number_text(row.high),
            optional_number_text(row.low),
            optional_number_text(row.volume),
            optional_number_text(row.turnover),
            price_or_none(optional_number_text(row.bid)),
            optional_number_text(row.bid_size),
            price_or_none(optional_number_text(row.ask)),
            optional_number_text(row.ask_size),
        )

    def parse_tickers(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        rows = decode_tickers(frame).result.data
        events: list[MarketEvent[str]] = []
        for row in rows:
            if wants_ticker:
                events.append(ticker_of(row, receive_ns))
            if wants_interest and row.open_interest is not None:
                size = number_text(row.open_interest)
                events.append(OpenInterest(exchange, symbol, row.time * MS, receive_ns, size))
        out.extend(events)
        if wants_ticker:
            last_data_ns[wire] = receive_ns
        if wants_interest and any(type(event) is OpenInterest for event in events):
            last_data_ns[interest_wire] = receive_ns

    return parse_tickers


def _books_parser(adapter: Adapter, symbol: str, wire: str) -> Parser:
    exchange, notices = adapter.exchange, adapter.notices
    last_data_ns, held_ns = adapter.last_data_ns, adapter.held_ns
    book = ChainedBook(exchange, symbol, wire)

    def parse_books(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        result = decode_book(frame).result
        rows = result.data
        if result.channel == "book":
            for snapshot, row in [(snapshot_of(exchange, symbol, receive_ns, row), row) for row in rows]:
                book.snapshot(snapshot, last_id_of(row), out, notices)
        else:
            for delta, row in [(delta_of(exchange, symbol, receive_ns, row), row) for row in rows]:
                last_id = last_id_of(row)
                if not delta.bids and not delta.asks and last_id is not None and row.previous_id == last_id:
                    book.quiet(delta, last_id, out, notices)
                else:
                    book.update(delta, row.previous_id, last_id, out, notices)
        if book.live:  # a book that waits for its snapshot has no data yet
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_books


def _bars_parser(adapter: Adapter, symbol: str, wire: str, interval: str) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_bars(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        rows = decode_candles(frame).result.data
        newest = max((row.start for row in rows), default=0)
        out.extend(
            [
                Bar(
                    exchange,
                    symbol,
                    (row.time or 0) * MS,
                    receive_ns,
                    interval,
                    row.start * MS,
                    number_text(row.open),
                    number_text(row.high),
                    number_text(row.low),
                    number_text(row.close),
                    number_text(row.volume),
                    row.start < newest,
                )
                for row in sorted(rows, key=lambda row: row.start)
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_bars


def _figures_parser(
    adapter: Adapter, symbol: str, wire: str, make: Callable[[str, str, int, FigureRow], MarketEvent[str]]
) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_figures(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend([make(exchange, symbol, receive_ns, row) for row in decode_figures(frame).result.data])
        last_data_ns[wire] = receive_ns

    return parse_figures


def _mark_price(exchange: str, symbol: str, receive_ns: int, row: FigureRow) -> MarketEvent[str]:
    return MarkPrice(exchange, symbol, row.time * MS, receive_ns, number_text(row.value))


def _funding(exchange: str, symbol: str, receive_ns: int, row: FigureRow) -> MarketEvent[str]:
    return Funding(exchange, symbol, row.time * MS, receive_ns, number_text(row.value), 0)


def _index(exchange: str, symbol: str, receive_ns: int, row: FigureRow) -> MarketEvent[str]:
    return Ticker(exchange, symbol, row.time * MS, receive_ns, number_text(row.value), None, None, None, None, None)


_FIGURES: dict[str, Callable[[str, str, int, FigureRow], MarketEvent[str]]] = {
    "mark": _mark_price,
    "funding": _funding,
    "index": _index,
}
