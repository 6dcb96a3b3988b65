"""Parsers: each is made for one topic, and appends the events that a frame of it means.

A parser decodes a frame once, with the type of its channel, and keeps at hand what it needs for each: the hot path
looks up no attribute of the adapter.
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
    Liquidation,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.book_chain import BookChain
from foxtrot_workers.adapter.frame_kinds import DeclaredStream
from foxtrot_workers.adapter.quote_side import EMPTY_SIDE, price_or_none, quoted
from foxtrot_workers.adapter.rest_books import RestBooks
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.okx.books import Book, delta_of, snapshot_of
from foxtrot_workers.exchanges.okx.constants import (
    BOOK_CHANNELS,
    CHANNELS,
    INTERVALS,
    KIND_CHANNELS,
    MS,
    PARTIAL_BOOK_CHANNELS,
)
from foxtrot_workers.exchanges.okx.instruments import is_possible_instrument
from foxtrot_workers.exchanges.okx.messages import (
    Arg,
    decode_books,
    decode_candles,
    decode_funding,
    decode_index,
    decode_liquidations,
    decode_mark_prices,
    decode_open_interest,
    decode_tickers,
    decode_trades,
    wire_of,
)

__all__ = ["Parser", "Wanted", "make_parser"]

Parser: TypeAlias = Callable[[bytes, int, list[MarketEvent[str]]], None]
"""Called with a data frame, its receive time (nanoseconds since 1970), and the list that events are appended to.
Raises `msgspec.DecodeError`."""

_BOOKS_IN_STEP = frozenset(CHANNELS[channel] for channel in BOOK_CHANNELS - PARTIAL_BOOK_CHANNELS)


class Wanted:
    """Which instruments of a topic that carries all of a kind are subscribed: changed by the adapter."""

    __slots__ = ("instruments",)

    def __init__(self) -> None:
        self.instruments: frozenset[str] = frozenset()


def make_parser(adapter: Adapter, arg: Arg, fetched: RestBooks, wanted: Wanted) -> Parser | None:
    """Return the parser of the topic `arg`; None if its channel is unknown or its instrument impossible.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parser fills in.
        arg: the topic.
        fetched: the books of the connection that are fetched by REST.
        wanted: the instruments of a topic of a kind.
    """
    if arg.channel in KIND_CHANNELS:
        return _liquidations_parser(adapter, arg, wanted)
    if not is_possible_instrument(arg.instrument):
        return None
    if arg.channel in _BOOKS_IN_STEP:
        return _books_parser(adapter, arg, fetched)
    make = _FACTORIES.get(arg.channel)
    return None if make is None else make(adapter, arg)


def _trades_parser(adapter: Adapter, arg: Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, wire_of(arg)
    last_data_ns = adapter.last_data_ns
    _declare(adapter, arg, decode_trades, Trade)

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Trade(
                    exchange,
                    symbol,
                    row.time * MS,
                    receive_ns,
                    row.price,
                    row.size,
                    row.side,
                    row.trade_id,
                    count=row.count,
                )
                for row in decode_trades(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_trades


def _quotes_parser(adapter: Adapter, arg: Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, wire_of(arg)
    last_data_ns = adapter.last_data_ns
    _declare(adapter, arg, decode_books, Quote)

    def parse_quotes(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        for row in decode_books(frame).data:
            bid, bid_size = quoted(row.bids[0].price, row.bids[0].size) if row.bids else EMPTY_SIDE
            ask, ask_size = quoted(row.asks[0].price, row.asks[0].size) if row.asks else EMPTY_SIDE
            out.append(
                Quote(
                    exchange,
                    symbol,
                    row.time * MS,
                    receive_ns,
                    bid,
                    bid_size,
                    ask,
                    ask_size,
                    "" if row.last_id is None else str(row.last_id),
                )
            )
        last_data_ns[wire] = receive_ns

    return parse_quotes


def _partial_books_parser(adapter: Adapter, arg: Arg) -> Parser:
    """Every message is a full top-N book: no continuity is needed."""
    exchange, symbol, wire = adapter.exchange, arg.instrument, wire_of(arg)
    last_data_ns = adapter.last_data_ns
    _declare(adapter, arg, decode_books, BookSnapshot)

    def parse_partial_books(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend([snapshot_of(exchange, symbol, receive_ns, row) for row in decode_books(frame).data])
        last_data_ns[wire] = receive_ns

    return parse_partial_books


def _books_parser(adapter: Adapter, arg: Arg, fetched: RestBooks) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, wire_of(arg)
    last_data_ns = adapter.last_data_ns
    held_ns = adapter.held_ns
    notices = adapter.notices
    book = Book(exchange, symbol, wire, fetched)
    _declare(adapter, arg, decode_books, BookDelta, book.chain)

    def parse_books(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_books(frame)
        if push.action is None:
            raise msgspec.ValidationError("a book frame without `action`")
        for row in push.data:
            if push.action == "snapshot":
                book.snapshot(snapshot_of(exchange, symbol, receive_ns, row), row, out, notices)
            else:
                book.update(delta_of(exchange, symbol, receive_ns, row), row, out, notices)
        if book.live:  # a book that waits for its snapshot has no data yet
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_books


def _tickers_parser(adapter: Adapter, arg: Arg) -> Parser:
    """Emits `Ticker` only: it has the best bid and ask, so a `Quote` beside it would repeat them."""
    exchange, symbol, wire = adapter.exchange, arg.instrument, wire_of(arg)
    last_data_ns = adapter.last_data_ns

    def parse_tickers(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Ticker(
                    exchange,
                    symbol,
                    row.time * MS,
                    receive_ns,
                    row.last or None,
                    row.open or None,
                    row.high or None,
                    row.low or None,
                    row.volume or None,
                    row.turnover or None,
                    price_or_none(row.bid),
                    row.bid_size or None,
                    price_or_none(row.ask),
                    row.ask_size or None,
                )
                for row in decode_tickers(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_tickers


def _index_parser(adapter: Adapter, arg: Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, wire_of(arg)
    last_data_ns = adapter.last_data_ns

    def parse_index(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Ticker(
                    exchange,
                    symbol,
                    row.time * MS,
                    receive_ns,
                    row.price or None,
                    row.open or None,
                    row.high or None,
                    row.low or None,
                    None,
                    None,
                )
                for row in decode_index(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_index


def _liquidations_parser(adapter: Adapter, arg: Arg, wanted: Wanted) -> Parser:
    """One topic has all instruments of a kind: those that were not subscribed are left out."""
    exchange, topic = adapter.exchange, wire_of(arg)
    last_data_ns = adapter.last_data_ns
    adopts = adapter.adopt

    def parse_liquidations(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        instruments = wanted.instruments
        for row in decode_liquidations(frame).data:
            symbol = row.instrument
            if symbol not in instruments and not (adopts and is_possible_instrument(symbol)):
                continue
            out.extend(
                [
                    Liquidation(exchange, symbol, each.time * MS, receive_ns, each.side, each.price, each.size)
                    for each in row.details
                ]
            )
            last_data_ns[shared_wire(topic, symbol)] = receive_ns

    return parse_liquidations


def _candles_parser(adapter: Adapter, arg: Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, wire_of(arg)
    last_data_ns = adapter.last_data_ns
    interval = arg.channel.removeprefix("candle")

    def parse_bars(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Bar(
                    exchange,
                    symbol,
                    0,
                    receive_ns,
                    interval,
                    row.start * MS,
                    row.open,
                    row.high,
                    row.low,
                    row.close,
                    row.volume,
                    row.confirm == "1",
                )
                for row in decode_candles(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_bars


def _funding_parser(adapter: Adapter, arg: Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, wire_of(arg)
    last_data_ns = adapter.last_data_ns

    def parse_funding(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Funding(exchange, symbol, (row.time or 0) * MS, receive_ns, row.rate, row.due * MS)
                for row in decode_funding(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_funding


def _mark_prices_parser(adapter: Adapter, arg: Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, wire_of(arg)
    last_data_ns = adapter.last_data_ns

    def parse_mark_prices(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                MarkPrice(exchange, symbol, row.time * MS, receive_ns, row.price)
                for row in decode_mark_prices(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_mark_prices


def _open_interest_parser(adapter: Adapter, arg: Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, wire_of(arg)
    last_data_ns = adapter.last_data_ns

    def parse_open_interest(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                OpenInterest(exchange, symbol, row.time * MS, receive_ns, row.size)
                for row in decode_open_interest(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_open_interest


def _declare(
    adapter: Adapter, arg: Arg, decode: Callable[[bytes], Any], event: type, chain: BookChain | None = None
) -> None:
    """Allow templates of the frames of a topic: nothing but their content, and its book, decides about the events."""
    stream = DeclaredStream(arg.instrument, arg.instrument, wire_of(arg), chain)
    fixed = ((("arg", "channel"), arg.channel),)
    adapter.frame_kinds.declare(decode, event, adapter.exchange, stream, key=("arg", "instId"), fixed=fixed)


_FACTORIES: dict[str, Callable[[Adapter, Arg], Parser]] = {
    "trades": _trades_parser,
    "trades-all": _trades_parser,
    "bbo-tbt": _quotes_parser,
    "books5": _partial_books_parser,
    "tickers": _tickers_parser,
    "index-tickers": _index_parser,
    "funding-rate": _funding_parser,
    "mark-price": _mark_prices_parser,
    "open-interest": _open_interest_parser,
    **{f"candle{interval}": _candles_parser for interval in INTERVALS},
}
