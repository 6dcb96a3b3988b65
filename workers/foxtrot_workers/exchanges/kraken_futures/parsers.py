"""Parsers: each is made for one topic, and appends the events that a frame of it means.

A parser decodes a frame once, with the type of its feed, and keeps at hand what it needs for each: the hot path looks
up no attribute of the adapter. Trades and tickers carry several channels; what was not subscribed is left out.
"""

from __future__ import annotations

from collections.abc import Container

import msgspec

from foxtrot_protocol.events import (
    Funding,
    Liquidation,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Ticker,
    Trade,
)
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.number_text import number_text, optional_number_text
from foxtrot_workers.adapter.quote_side import price_or_none
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.kraken_futures.books import delta_of, snapshot_of
from foxtrot_workers.exchanges.kraken_futures.constants import MS, SHARED_CHANNELS
from foxtrot_workers.exchanges.kraken_futures.messages import (
    TickerMessage,
    TradeMessage,
    TradeRow,
    decode_book,
    decode_ticker,
    decode_trades,
)

__all__ = ["ALL_CHANNELS", "make_parser"]

ALL_CHANNELS = SHARED_CHANNELS | {""}
"""What feeds carry; "" stands for the feed's own channel."""


def make_parser(adapter: Adapter, topic: str, symbol: str, channels: Container[str]) -> Parser | None:
    """Return the parser of `topic`; None if its feed is unknown.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parser fills in.
        topic: feed and product.
        symbol: of the events.
        channels: of `ALL_CHANNELS`, those that are wanted.
    """
    feed = topic.partition(":")[0]
    if feed == "book":
        return _books_parser(adapter, symbol, topic)
    if feed == "trade":
        return _trades_parser(adapter, symbol, topic, channels)
    if feed in ("ticker", "ticker_lite"):
        return _tickers_parser(adapter, symbol, topic, channels)
    return None


def _books_parser(adapter: Adapter, symbol: str, wire: str) -> Parser:
    exchange, notices = adapter.exchange, adapter.notices
    last_data_ns, held_ns = adapter.last_data_ns, adapter.held_ns
    book = ChainedBook(exchange, symbol, wire)

    def parse_book(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        message = decode_book(frame)
        number = message.sequence
        if message.feed == "book":
            book.update(delta_of(exchange, symbol, receive_ns, message), number - 1, number, out, notices)
        else:
            book.snapshot(snapshot_of(exchange, symbol, receive_ns, message), number, out, notices)
        if book.live:  # a book that waits for its snapshot has no data yet
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_book


def _trades_parser(adapter: Adapter, symbol: str, wire: str, channels: Container[str]) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    wants_trades, wants_liquidations = "" in channels, "liquidation" in channels
    liquidation_wire = shared_wire(wire, "liquidation")

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        events: list[MarketEvent[str]] = []
        for row in _rows(decode_trades(frame)):
            time_ns, price, size = row.time * MS, number_text(row.price), number_text(row.size)
            if wants_trades:
                events.append(Trade(exchange, symbol, time_ns, receive_ns, price, size, row.side, row.uid))
            if wants_liquidations and row.type == "liquidation":
                events.append(Liquidation(exchange, symbol, time_ns, receive_ns, row.side, price, size))
        out.extend(events)
        if wants_trades:
            last_data_ns[wire] = receive_ns
        if wants_liquidations and any(type(event) is Liquidation for event in events):
            last_data_ns[liquidation_wire] = receive_ns

    return parse_trades


def _rows(message: TradeMessage) -> list[TradeRow]:
    """Return the trades of a message, oldest first."""
    if message.feed == "trade_snapshot":
        return sorted(message.trades or (), key=lambda row: row.sequence)
    if message.side is None:
        raise msgspec.ValidationError("a trade without side")
    return [TradeRow(message.uid, message.side, message.price, message.size, message.time, message.type)]


def _tickers_parser(adapter: Adapter, symbol: str, wire: str, channels: Container[str]) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    wants_ticker = "" in channels
    wires = {channel: shared_wire(wire, channel) for channel in sorted(SHARED_CHANNELS) if channel in channels}

    def parse_ticker(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        message = decode_ticker(frame)
        events: list[MarketEvent[str]] = []
        seen = []
        if wants_ticker:
            events.append(_ticker(exchange, symbol, receive_ns, message))
            seen.append(wire)
        for channel, own_wire in wires.items():
            event = _figure(channel, exchange, symbol, receive_ns, message)
            if event is not None:
                events.append(event)
                seen.append(own_wire)
        out.extend(events)
        for own_wire in seen:
            last_data_ns[own_wire] = receive_ns

    return parse_ticker


def _ticker(exchange: str, symbol: str, receive_ns: int, message: TickerMessage) -> Ticker[str]:
    return Ticker(
        exchange,
        symbol,
        message.time * MS,
        receive_ns,
        optional_number_text(message.last),
        optional_number_text(message.open),
        optional_number_text(message.high),
        optional_number_text(message.low),
        optional_number_text(message.volume),
        optional_number_text(message.turnover),
        price_or_none(optional_number_text(message.bid)),
        optional_number_text(message.bid_size),
        price_or_none(optional_number_text(message.ask)),
        optional_number_text(message.ask_size),
    )


def _figure(
    channel: str, exchange: str, symbol: str, receive_ns: int, message: TickerMessage
) -> MarketEvent[str] | None:
    """Return the event of a channel that a ticker carries; None if this one does not have it."""
    time_ns = message.time * MS
    if channel == "mark_price" and message.mark_price is not None:
        return MarkPrice(exchange, symbol, time_ns, receive_ns, number_text(message.mark_price))
    if channel == "open_interest" and message.open_interest is not None:
        return OpenInterest(exchange, symbol, time_ns, receive_ns, number_text(message.open_interest))
    if channel == "funding":
        # the other rate is an amount of quote currency for one contract; recordings may have no other
        rate = message.funding_rate if message.relative_funding_rate is None else message.relative_funding_rate
        if rate is not None:
            next_ns = (message.next_funding_time or 0) * MS
            return Funding(exchange, symbol, time_ns, receive_ns, number_text(rate), next_ns)
    return None
