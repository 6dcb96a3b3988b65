"""Parsers: each is made for one topic, and appends the events that a frame of it means.

A parser decodes a frame once, with the type of its channel, and keeps at hand what it needs for each: the hot path
looks up no attribute of the adapter.
"""

from __future__ import annotations

from collections.abc import Callable

from foxtrot_protocol.events import Funding, MarketEvent, Trade
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.number_text import number_text
from foxtrot_workers.adapter.rest_books import RestBooks
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.exchanges.bitstamp.books import delta_of, snapshot_of
from foxtrot_workers.exchanges.bitstamp.constants import CHANNELS, US, S
from foxtrot_workers.exchanges.bitstamp.instruments import is_possible_symbol
from foxtrot_workers.exchanges.bitstamp.messages import decode_book, decode_funding, decode_trade

__all__ = ["channel_of", "make_parser"]


def channel_of(wire: str) -> tuple[str, str]:
    """Return configuration channel and market that `wire` names; two empty texts if none."""
    for channel, beginning in CHANNELS.items():
        symbol = wire.removeprefix(beginning)
        if symbol != wire and is_possible_symbol(symbol):
            return channel, symbol
    return "", ""


def make_parser(adapter: Adapter, wire: str, books: RestBooks) -> Parser | None:
    """Return the parser of the topic `wire`; None if its channel is unknown or its market impossible.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parser fills in.
        wire: the topic.
        books: of the connection.
    """
    channel, symbol = channel_of(wire)
    make = _FACTORIES.get(channel)
    return None if make is None else make(adapter, symbol, wire, books)


def _trades_parser(adapter: Adapter, symbol: str, wire: str, _: RestBooks) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_trade(frame).data
        out.append(
            Trade(
                exchange,
                symbol,
                data.seconds * S if data.time is None else data.time * US,
                receive_ns,
                data.price_text or number_text(data.price),
                data.size_text or number_text(data.size),
                "sell" if data.type else "buy",
                str(data.id),
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_trades


def _books_parser(adapter: Adapter, symbol: str, wire: str, books: RestBooks) -> Parser:
    exchange, notices = adapter.exchange, adapter.notices
    last_data_ns, held_ns = adapter.last_data_ns, adapter.held_ns
    book = books.open(symbol, wire)
    last = -1
    """The time of the latest difference, in microseconds."""

    def parse_books(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        nonlocal last
        data = decode_book(frame).data
        time = data.time
        # the first one has no known predecessor: the snapshot must contain what was before it
        first = last + 1 if 0 <= last < time else time
        last = time
        book.delta(delta_of(exchange, symbol, receive_ns, data, first), first, time, None, out, notices)
        if book.live:
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_books


def _pictures_parser(adapter: Adapter, symbol: str, wire: str, _: RestBooks) -> Parser:
    """Every message is a full picture: no continuity is needed."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_pictures(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.append(snapshot_of(exchange, symbol, receive_ns, decode_book(frame).data))
        last_data_ns[wire] = receive_ns

    return parse_pictures


def _funding_parser(adapter: Adapter, symbol: str, wire: str, _: RestBooks) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_funding(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_funding(frame).data
        out.append(Funding(exchange, symbol, data.seconds * S, receive_ns, number_text(data.rate), data.due * S))
        last_data_ns[wire] = receive_ns

    return parse_funding


_FACTORIES: dict[str, Callable[[Adapter, str, str, RestBooks], Parser]] = {
    "trade": _trades_parser,
    "book": _books_parser,
    "book100": _pictures_parser,
    "funding": _funding_parser,
}
