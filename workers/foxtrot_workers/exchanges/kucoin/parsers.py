"""Parsers: each is made for one topic, and appends the events that a frame of it means.

A parser decodes a frame once, with the type of its topic, and keeps at hand what it needs for each: the hot path looks
up no attribute of the adapter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from foxtrot_protocol.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    Funding,
    MarketEvent,
    MarkPrice,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.number_text import level_texts, number_text, optional_number_text
from foxtrot_workers.adapter.quote_side import EMPTY_SIDE, price_or_none, quoted
from foxtrot_workers.adapter.rest_book import RestBook
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.kucoin.books import change_of_text, changes_of_side
from foxtrot_workers.exchanges.kucoin.constants import MS, SECOND
from foxtrot_workers.exchanges.kucoin.messages import (
    Frame,
    decode_candles,
    decode_contract_ticker,
    decode_executions,
    decode_futures_change,
    decode_futures_partial_book,
    decode_indicator,
    decode_instrument,
    decode_level1,
    decode_level2,
    decode_match,
    decode_partial_book,
    decode_quote_v2,
    decode_spot_ticker,
    decode_unified,
)

__all__ = [
    "FUTURES_FACTORIES",
    "SPOT_FACTORIES",
    "Factory",
    "futures_book_parser",
    "instrument_parser",
    "spot_book_parser",
    "unified_book_parser",
]

Factory: TypeAlias = Callable[[Adapter, str, str, str], Parser]
"""``(adapter, topic, symbol, interval)``: makes the parser of a topic; `interval` of bars, else ""."""

ALL_SYMBOLS = "all"
"""Stands for a symbol in a topic of all symbols; each frame names its own as `subject`."""


def _match_parser(adapter: Adapter, wire: str, symbol: str, interval: str) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_match(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        row = decode_match(frame).data
        out.append(Trade(exchange, symbol, row.time, receive_ns, row.price, row.size, row.side, row.trade_id))
        last_data_ns[wire] = receive_ns

    return parse_match


def _execution_parser(adapter: Adapter, wire: str, symbol: str, interval: str) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_execution(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        row = decode_executions(frame).data
        price = row.price if type(row.price) is str and row.price else number_text(row.price)
        size = number_text(row.size)
        out.append(Trade(exchange, symbol, row.time, receive_ns, price, size, row.side, row.trade_id))
        last_data_ns[wire] = receive_ns

    return parse_execution


def _level1_parser(adapter: Adapter, wire: str, symbol: str, interval: str) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_quote(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_level1(frame).data
        bid, bid_size = _side(data.bids[0], data.bids[1]) if len(data.bids) > 1 else EMPTY_SIDE
        ask, ask_size = _side(data.asks[0], data.asks[1]) if len(data.asks) > 1 else EMPTY_SIDE
        out.append(Quote(exchange, symbol, data.time * MS, receive_ns, bid, bid_size, ask, ask_size, ""))
        last_data_ns[wire] = receive_ns

    return parse_quote


def _quote_v2_parser(adapter: Adapter, wire: str, symbol: str, interval: str) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_quote(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_quote_v2(frame).data
        bid, bid_size = _side(data.bid, data.bid_size)
        ask, ask_size = _side(data.ask, data.ask_size)
        out.append(Quote(exchange, symbol, data.time, receive_ns, bid, bid_size, ask, ask_size, str(data.sequence)))
        last_data_ns[wire] = receive_ns

    return parse_quote


def spot_book_parser(adapter: Adapter, book: RestBook, wire: str, symbol: str) -> Parser:
    """Return the parser of ``/market/level2``."""
    exchange, last_data_ns, held_ns, notices = adapter.exchange, adapter.last_data_ns, adapter.held_ns, adapter.notices

    def parse_book_delta(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_level2(frame).data
        first, last, changes = data.first, data.last, data.changes
        bids, asks = changes_of_side(changes.bids), changes_of_side(changes.asks)
        event = BookDelta(exchange, symbol, data.time * MS, receive_ns, bids, asks, str(first), str(last), None)
        book.delta(event, first, last, None, out, notices)
        if book.live:  # a book that waits for its snapshot has no data yet
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_book_delta


def futures_book_parser(adapter: Adapter, book: RestBook, wire: str, symbol: str) -> Parser:
    """Return the parser of ``/contractMarket/level2``: one change in each frame."""
    exchange, last_data_ns, held_ns, notices = adapter.exchange, adapter.last_data_ns, adapter.held_ns, adapter.notices

    def parse_book_delta(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_futures_change(frame).data
        bids, asks = change_of_text(data.change)
        number = data.sequence
        text = str(number)
        event = BookDelta(exchange, symbol, data.timestamp * MS, receive_ns, bids, asks, text, text, None)
        book.delta(event, number, number, None, out, notices)
        if book.live:
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_book_delta


def unified_book_parser(adapter: Adapter, wire: str, symbol: str) -> Parser:
    """Return the parser of ``obu`` of the unified feed: a snapshot, then updates that follow one another."""
    exchange, last_data_ns, held_ns, notices = adapter.exchange, adapter.last_data_ns, adapter.held_ns, adapter.notices
    book = ChainedBook(exchange, symbol, wire)

    def parse_book(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_unified(frame)
        data = push.data
        first, last = data.first, data.last
        if push.kind == "snapshot":
            snapshot = BookSnapshot(
                exchange, symbol, data.time, receive_ns, data.bids, data.asks, None, str(last), None
            )
            book.snapshot(snapshot, last, out, notices)
        else:
            delta = BookDelta(
                exchange, symbol, data.time, receive_ns, data.bids, data.asks, str(first), str(last), None
            )
            book.update(delta, first - 1, last, out, notices)
        if book.live:
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_book


def _partial_book_parser(adapter: Adapter, wire: str, symbol: str, interval: str) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_partial_book(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_partial_book(frame).data
        time_ns = data.timestamp * MS
        out.append(BookSnapshot(exchange, symbol, time_ns, receive_ns, data.bids, data.asks, None, None, None))
        last_data_ns[wire] = receive_ns

    return parse_partial_book


def _futures_partial_book_parser(adapter: Adapter, wire: str, symbol: str, interval: str) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_partial_book(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_futures_partial_book(frame).data
        last_id = None if data.sequence is None else str(data.sequence)
        bids, asks = level_texts(data.bids), level_texts(data.asks)
        out.append(BookSnapshot(exchange, symbol, data.timestamp * MS, receive_ns, bids, asks, None, last_id, None))
        last_data_ns[wire] = receive_ns

    return parse_partial_book


def _spot_ticker_parser(adapter: Adapter, wire: str, symbol: str, interval: str) -> Parser:
    return _any_ticker_parser(adapter, wire, symbol, decode_spot_ticker, MS)


def _contract_ticker_parser(adapter: Adapter, wire: str, symbol: str, interval: str) -> Parser:
    return _any_ticker_parser(adapter, wire, symbol, decode_contract_ticker, 1)


def _any_ticker_parser(
    adapter: Adapter, wire: str, symbol: str, decode: Callable[[bytes], Frame[Any]], ns: int
) -> Parser:
    """`ns`: nanoseconds in the unit of the frame's time."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_ticker(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode(frame)
        data = push.data
        out.append(
            Ticker(
                exchange,
                push.subject if symbol == ALL_SYMBOLS else symbol,
                data.time * ns,
                receive_ns,
                _number(data.price),
                None,
                None,
                None,
                None,
                None,
                price_or_none(_number(data.bid)),
                _number(data.bid_size),
                price_or_none(_number(data.ask)),
                _number(data.ask_size),
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_ticker


def _side(price: Any, size: Any) -> tuple[str | None, str | None]:
    """Return one side of a quote as text; both None where it is empty. Raises `msgspec.ValidationError`."""
    # the usual cases: what begins with a digit from 1 to 9 behind its leading zeros and point is not zero
    if type(price) is str and "1" <= price.lstrip("0.") < ":":
        if type(size) is str and "1" <= size.lstrip("0.") < ":":
            return price, size
        if type(size) is int and 0 < size < _CONTRACTS_MOST:
            return price, str(size)
    return quoted(_number(price), _number(size))


_CONTRACTS_MOST = 10**18


def _number(value: Any) -> str | None:
    """Return the text of a number; None where it is missing or empty. Raises `msgspec.ValidationError`."""
    return None if value is None or value == "" else number_text(value)


def _spot_candles_parser(adapter: Adapter, wire: str, symbol: str, interval: str) -> Parser:
    return _any_candles_parser(adapter, wire, symbol, interval, 1)


def _futures_candles_parser(adapter: Adapter, wire: str, symbol: str, interval: str) -> Parser:
    return _any_candles_parser(adapter, wire, symbol, interval, MS)


def _any_candles_parser(adapter: Adapter, wire: str, symbol: str, interval: str, ns: int) -> Parser:
    """`ns`: nanoseconds in the unit of the frame's time."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_bar(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_candles(frame).data
        if len(data.candles) < 6:
            raise msgspec.ValidationError("Expected `array` of length >= 6 - at `$.data.candles`")
        start, opened, close, high, low, volume = [number_text(value) for value in data.candles[:6]]
        if not (start.isascii() and start.isdigit() and len(start) <= 10):
            raise msgspec.ValidationError("Expected a time in seconds - at `$.data.candles[0]`")
        time_ns = data.time * ns
        if time_ns >= 2**63:
            raise msgspec.ValidationError("Expected a time - at `$.data.time`")
        start_ns = int(start) * SECOND
        # no frame says that a bar is closed: it is when the next one begins
        out.append(
            Bar(exchange, symbol, time_ns, receive_ns, interval, start_ns, opened, high, low, close, volume, False)
        )
        last_data_ns[wire] = receive_ns

    return parse_bar


def _indicator_parser(adapter: Adapter, wire: str, symbol: str, interval: str) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_mark_price(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_indicator(frame).data
        out.append(MarkPrice(exchange, symbol, data.timestamp * MS, receive_ns, number_text(data.value)))
        last_data_ns[wire] = receive_ns

    return parse_mark_price


def instrument_parser(adapter: Adapter, wire: str, symbol: str, channels: frozenset[str]) -> Parser:
    """Return the parser of ``/contract/instrument``.

    `channels`: those that are published, "" for mark prices and ``funding``.
    """
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    marks, rates = "" in channels, "funding" in channels
    funding_wire = shared_wire(wire, "funding")

    def parse_instrument(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_instrument(frame).data
        time_ns = data.timestamp * MS
        price = optional_number_text(data.mark_price)
        rate = optional_number_text(data.funding_rate)
        if marks and price is not None:
            out.append(MarkPrice(exchange, symbol, time_ns, receive_ns, price))
            last_data_ns[wire] = receive_ns
        if rates and rate is not None:
            out.append(Funding(exchange, symbol, time_ns, receive_ns, rate, 0))
            last_data_ns[funding_wire] = receive_ns

    return parse_instrument


SPOT_FACTORIES: dict[str, Factory] = {
    "trade": _match_parser,
    "quote": _level1_parser,
    "book5": _partial_book_parser,
    "book50": _partial_book_parser,
    "ticker": _spot_ticker_parser,
    "mark_price": _indicator_parser,
    "bar": _spot_candles_parser,
}
"""By channel, ``bar`` for all intervals; books and shared topics have makers of their own."""

FUTURES_FACTORIES: dict[str, Factory] = {
    "trade": _execution_parser,
    "quote": _quote_v2_parser,
    "book5": _futures_partial_book_parser,
    "book50": _futures_partial_book_parser,
    "ticker": _contract_ticker_parser,
    "bar": _futures_candles_parser,
}
