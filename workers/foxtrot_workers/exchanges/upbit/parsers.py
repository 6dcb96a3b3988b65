"""Parsers: each is made for one topic and one format, and appends the events that a frame of it means.

A parser decodes a frame once, with the type of its channel, and keeps at hand what it needs for each: the hot path
looks up no attribute of the adapter.
"""

from __future__ import annotations

from datetime import UTC

from foxtrot_protocol.events import Bar, BookSnapshot, MarketEvent, Quote, Ticker, Trade
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.iso_time import iso_ns
from foxtrot_workers.adapter.number_text import number_text, optional_number_text
from foxtrot_workers.adapter.quote_side import EMPTY_SIDE, quoted_numbers
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.exchanges.upbit.books import sides_of
from foxtrot_workers.exchanges.upbit.constants import BOOK_UNITS, INTERVALS, MS
from foxtrot_workers.exchanges.upbit.instruments import is_possible_symbol
from foxtrot_workers.exchanges.upbit.messages import Decoders
from foxtrot_workers.exchanges.upbit.requests import parts_of, plain_code

__all__ = ["make_parser"]


def make_parser(adapter: Adapter, wire: str, decoders: Decoders) -> Parser | None:
    """Return the parser of the topic `wire`; None if its type is unknown or its market impossible.

    Args:
        adapter: its `exchange` and `last_data_ns` are what the parser uses.
        wire: the topic.
        decoders: of the format.
    """
    kind, code = parts_of(wire)
    symbol = plain_code(code)
    if not is_possible_symbol(symbol):
        return None
    if kind == "trade":
        return _trades_parser(adapter, symbol, wire, decoders)
    if kind == "orderbook":
        if code.endswith(BOOK_UNITS["quote"]):
            return _quotes_parser(adapter, symbol, wire, decoders)
        return _books_parser(adapter, symbol, wire, decoders)
    if kind == "ticker":
        return _tickers_parser(adapter, symbol, wire, decoders)
    if kind in _INTERVALS:
        return _bars_parser(adapter, symbol, wire, decoders)
    return None


_INTERVALS = {f"candle.{name}": interval for interval, name in INTERVALS.items()}


def _trades_parser(adapter: Adapter, symbol: str, wire: str, decoders: Decoders) -> Parser:
    exchange, last_data_ns, decode = adapter.exchange, adapter.last_data_ns, decoders.trade

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        trade = decode(frame)
        out.append(
            Trade(
                exchange,
                symbol,
                trade.time * MS,
                receive_ns,
                number_text(trade.price),
                number_text(trade.size),
                "sell" if trade.side == "ASK" else "buy",
                str(trade.trade_id),
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_trades


def _books_parser(adapter: Adapter, symbol: str, wire: str, decoders: Decoders) -> Parser:
    exchange, last_data_ns, decode = adapter.exchange, adapter.last_data_ns, decoders.orderbook

    def parse_books(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        book = decode(frame)
        bids, asks = sides_of(book.units)
        out.append(BookSnapshot(exchange, symbol, book.time * MS, receive_ns, bids, asks, None, None, None))
        last_data_ns[wire] = receive_ns

    return parse_books


def _quotes_parser(adapter: Adapter, symbol: str, wire: str, decoders: Decoders) -> Parser:
    """A book of one unit."""
    exchange, last_data_ns, decode = adapter.exchange, adapter.last_data_ns, decoders.orderbook

    def parse_quotes(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        book = decode(frame)
        bid, bid_size = ask, ask_size = EMPTY_SIDE
        for unit in book.units[:1]:
            bid, bid_size = quoted_numbers(unit.bid, unit.bid_size)
            ask, ask_size = quoted_numbers(unit.ask, unit.ask_size)
        out.append(Quote(exchange, symbol, book.time * MS, receive_ns, bid, bid_size, ask, ask_size, ""))
        last_data_ns[wire] = receive_ns

    return parse_quotes


def _tickers_parser(adapter: Adapter, symbol: str, wire: str, decoders: Decoders) -> Parser:
    exchange, last_data_ns, decode = adapter.exchange, adapter.last_data_ns, decoders.ticker

    def parse_tickers(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        ticker = decode(frame)
        out.append(
            Ticker(
                exchange,
                symbol,
                ticker.time * MS,
                receive_ns,
                optional_number_text(ticker.last),
                optional_number_text(ticker.open),
                optional_number_text(ticker.high),
                optional_number_text(ticker.low),
                optional_number_text(ticker.volume),
                optional_number_text(ticker.turnover),
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_tickers


def _bars_parser(adapter: Adapter, symbol: str, wire: str, decoders: Decoders) -> Parser:
    """Nothing on the wire says that a bar is closed."""
    exchange, last_data_ns, decode = adapter.exchange, adapter.last_data_ns, decoders.bar
    interval = _INTERVALS[parts_of(wire)[0]]

    def parse_bars(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        bar = decode(frame)
        out.append(
            Bar(
                exchange,
                symbol,
                bar.time * MS,
                receive_ns,
                interval,
                iso_ns(bar.start.replace(tzinfo=UTC)),
                number_text(bar.open),
                number_text(bar.high),
                number_text(bar.low),
                number_text(bar.close),
                number_text(bar.volume),
                False,
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_bars
