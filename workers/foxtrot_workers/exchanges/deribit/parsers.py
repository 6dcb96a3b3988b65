"""Parsers: each is made for one topic, and appends the events that a frame of it means.

A parser decodes a frame once, with the type of its channel, and keeps at hand what it needs for each: the hot path
looks up no attribute of the adapter. Topics of tickers and trades carry several channels; what was not subscribed is
left out.
"""

from __future__ import annotations

from collections.abc import Container

import msgspec

from foxtrot_protocol.events import (
    Bar,
    Funding,
    Liquidation,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Quote,
    Side,
    Ticker,
    Trade,
)
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.number_text import number_text, optional_number_text
from foxtrot_workers.adapter.quote_side import price_or_none, quoted_numbers
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.deribit.books import delta_of, picture_of, snapshot_of
from foxtrot_workers.exchanges.deribit.constants import INTERVALS, MS
from foxtrot_workers.exchanges.deribit.instruments import is_possible_instrument
from foxtrot_workers.exchanges.deribit.messages import (
    TradeRow,
    decode_book,
    decode_chart,
    decode_picture,
    decode_quote,
    decode_ticker,
    decode_trades,
)

__all__ = ["ALL_CHANNELS", "make_parser"]

ALL_CHANNELS = frozenset({"", "liquidation", "funding", "mark_price", "open_interest"})
"""What topics of trades and tickers carry; "" stands for trades and tickers themselves."""

_INTERVALS = {resolution: interval for interval, resolution in INTERVALS.items()}


def make_parser(adapter: Adapter, topic: str, channels: Container[str]) -> Parser | None:
    """Return the parser of `topic`; None if its form is unknown or its instrument impossible.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parser fills in.
        topic: as the exchange names it.
        channels: of `ALL_CHANNELS`, those that are wanted.
    """
    match topic.split("."):
        case ["book", symbol, _] if is_possible_instrument(symbol):
            return _books_parser(adapter, symbol, topic)
        case ["book", symbol, _, _, _] if is_possible_instrument(symbol):
            return _pictures_parser(adapter, symbol, topic)
        case ["trades", symbol, _] if is_possible_instrument(symbol):
            return _trades_parser(adapter, symbol, topic, channels)
        case ["ticker", symbol, _] if is_possible_instrument(symbol):
            return _tickers_parser(adapter, symbol, topic, channels)
        case ["quote", symbol] if is_possible_instrument(symbol):
            return _quotes_parser(adapter, symbol, topic)
        case ["chart", "trades", symbol, resolution] if is_possible_instrument(symbol) and resolution in _INTERVALS:
            return _bars_parser(adapter, symbol, topic, _INTERVALS[resolution])
    return None


def _books_parser(adapter: Adapter, symbol: str, wire: str) -> Parser:
    exchange, notices = adapter.exchange, adapter.notices
    last_data_ns, held_ns = adapter.last_data_ns, adapter.held_ns
    book = ChainedBook(exchange, symbol, wire)

    def parse_books(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_book(frame).params.data
        if data.type == "snapshot":
            book.snapshot(snapshot_of(exchange, symbol, receive_ns, data), data.change_id, out, notices)
        elif data.type == "change" and data.previous_id is not None:
            delta = delta_of(exchange, symbol, receive_ns, data)
            book.update(delta, data.previous_id, data.change_id, out, notices)
        else:
            raise msgspec.ValidationError("a book frame without `type` or `prev_change_id`")
        if book.live:  # a book that waits for its snapshot has no data yet
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_books


def _pictures_parser(adapter: Adapter, symbol: str, wire: str) -> Parser:
    """Every message is a full picture: no continuity is needed."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_pictures(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.append(picture_of(exchange, symbol, receive_ns, decode_picture(frame).params.data))
        last_data_ns[wire] = receive_ns

    return parse_pictures


def _trades_parser(adapter: Adapter, symbol: str, wire: str, channels: Container[str]) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    liquidations_wire = shared_wire(wire, "liquidation")
    with_trades, with_liquidations = "" in channels, "liquidation" in channels

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        rows = decode_trades(frame).params.data
        events: list[MarketEvent[str]] = []
        if with_trades:
            events = [
                Trade(
                    exchange,
                    symbol,
                    row.time * MS,
                    receive_ns,
                    price if type(price := row.price) is str and price else number_text(price),
                    size if type(size := row.amount) is str and size else number_text(size),
                    row.direction,
                    row.trade_id,
                )
                for row in rows
            ]
        if with_liquidations:
            for row in rows:
                if row.liquidation:
                    events.extend(_liquidations(exchange, symbol, receive_ns, row))
        out.extend(events)
        if with_trades:
            last_data_ns[wire] = receive_ns
        if with_liquidations:
            last_data_ns[liquidations_wire] = receive_ns

    return parse_trades


_OPPOSITE: dict[Side, Side] = {"buy": "sell", "sell": "buy"}


def _liquidations(exchange: str, symbol: str, receive_ns: int, row: TradeRow) -> list[Liquidation[str]]:
    """Return one event for each side of a trade that was liquidated; the maker's side is opposite to the taker's."""
    sides: list[Side] = []
    if "T" in (row.liquidation or ""):
        sides.append(row.direction)
    if "M" in (row.liquidation or ""):
        sides.append(_OPPOSITE[row.direction])
    price, size = number_text(row.price), number_text(row.amount)
    return [Liquidation(exchange, symbol, row.time * MS, receive_ns, side, price, size) for side in sides]


def _quotes_parser(adapter: Adapter, symbol: str, wire: str) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_quotes(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_quote(frame).params.data
        bid, bid_size = quoted_numbers(data.bid, data.bid_size)
        ask, ask_size = quoted_numbers(data.ask, data.ask_size)
        out.append(Quote(exchange, symbol, data.time * MS, receive_ns, bid, bid_size, ask, ask_size, ""))
        last_data_ns[wire] = receive_ns

    return parse_quotes


def _tickers_parser(adapter: Adapter, symbol: str, wire: str, channels: Container[str]) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    wanted = [channel for channel in ("", "mark_price", "open_interest", "funding") if channel in channels]
    wires = {channel: shared_wire(wire, channel) if channel else wire for channel in wanted}

    def parse_tickers(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_ticker(frame).params.data
        time_ns = data.time * MS
        events: list[tuple[str, MarketEvent[str]]] = []
        for channel in wanted:
            if not channel:
                stats = data.stats
                event: MarketEvent[str] = Ticker(
                    exchange,
                    symbol,
                    time_ns,
                    receive_ns,
                    price_or_none(optional_number_text(data.last)),
                    None,
                    None if stats is None else optional_number_text(stats.high),
                    None if stats is None else optional_number_text(stats.low),
                    None if stats is None else optional_number_text(stats.volume),
                    None if stats is None else optional_number_text(stats.turnover),
                    price_or_none(optional_number_text(data.bid)),
                    optional_number_text(data.bid_size),  # an empty side has size 0
                    price_or_none(optional_number_text(data.ask)),
                    optional_number_text(data.ask_size),
                )
            elif channel == "mark_price" and data.mark_price is not None:
                event = MarkPrice(exchange, symbol, time_ns, receive_ns, number_text(data.mark_price))
            elif channel == "open_interest" and data.open_interest is not None:
                event = OpenInterest(exchange, symbol, time_ns, receive_ns, number_text(data.open_interest))
            elif channel == "funding" and data.funding is not None:
                event = Funding(exchange, symbol, time_ns, receive_ns, number_text(data.funding), 0)
            else:
                continue
            events.append((channel, event))
        for channel, event in events:
            out.append(event)
            last_data_ns[wires[channel]] = receive_ns

    return parse_tickers


def _bars_parser(adapter: Adapter, symbol: str, wire: str, interval: str) -> Parser:
    """Nothing on the wire says that a bar is closed."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_bars(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_chart(frame).params.data
        out.append(
            Bar(
                exchange,
                symbol,
                0,
                receive_ns,
                interval,
                data.start * MS,
                number_text(data.open),
                number_text(data.high),
                number_text(data.low),
                number_text(data.close),
                number_text(data.volume),
                False,
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_bars
