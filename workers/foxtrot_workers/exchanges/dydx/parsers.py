"""Parsers: each is made for one topic, and appends the events that the contents of a message mean.

The head of a message is decoded first: its `message_id`, which counts the messages of the connection, is checked for
all topics together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import msgspec
from msgspec import structs

from foxtrot_protocol.events import (
    EVENT_MARKET_TRADE,
    Bar,
    Funding,
    Gap,
    Liquidation,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Side,
    Trade,
)
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.iso_time import iso_ns
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.dydx.books import Book
from foxtrot_workers.exchanges.dydx.constants import INTERVALS, TRADE_CHANNELS
from foxtrot_workers.exchanges.dydx.instruments import is_possible_symbol
from foxtrot_workers.exchanges.dydx.messages import (
    BookChange,
    CandleRow,
    Head,
    Market,
    MarketsChange,
    OraclePrice,
    TradeRow,
    decode_book,
    decode_books,
    decode_candle,
    decode_candle_list,
    decode_candles,
    decode_markets,
    decode_markets_changes,
    decode_markets_of_v3,
    decode_picture,
    decode_trade_lists,
    decode_trades,
)

__all__ = ["Loss", "Parser", "TopicParser", "Wanted", "make_parser", "market_wire", "trade_wire"]

Parser: TypeAlias = Callable[[Head, msgspec.Raw, int, list[MarketEvent[str]]], None]
"""Called with the head and the contents of a message, its receive time (nanoseconds since 1970), and the list that
events are appended to. Raises `msgspec.DecodeError`."""

Loss: TypeAlias = Callable[[str, int, list[MarketEvent[str]]], None]
"""Called with a reason when messages of the connection are missing."""

_BATCH = "channel_batch_data"
_FIRST = "subscribed"
_LIQUIDATED = "LIQUIDATED"
_RESOLUTIONS = {resolution: interval for interval, resolution in INTERVALS.items()}


class Wanted:
    """Which channels of a topic are subscribed: changed by the adapter, read by the parser."""

    __slots__ = ("channels",)

    def __init__(self) -> None:
        self.channels: frozenset[str] = frozenset()
        """Channels of a market's trades, or ``CHANNEL/MARKET`` of all markets."""


class TopicParser:
    """What the adapter calls for one topic."""

    __slots__ = ("lose", "parse")

    def __init__(self, parse: Parser, lose: Loss | None = None) -> None:
        self.parse = parse
        self.lose = lose


def trade_wire(topic: str, channel: str) -> str:
    """Return the wire name of `channel`, which the trades of a market carry."""
    return topic if channel == "trade" else shared_wire(topic, channel)


def market_wire(topic: str, channel: str, symbol: str) -> str:
    """Return the wire name of `channel` of a market, which the topic of all markets carries."""
    return shared_wire(topic, f"{channel}/{symbol}")


def make_parser(adapter: Adapter, topic: str, wanted: Wanted) -> TopicParser | None:
    """Return the parser of `topic`; None if its channel is unknown or its market impossible.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parser fills in.
        topic: wire name of the topic.
        wanted: the channels of a topic that carries several.
    """
    channel, _, id_ = topic.partition(":")
    protocol, _, kind = channel.partition("_")
    symbol, _, resolution = id_.partition("/")
    if protocol not in ("v3", "v4"):
        return None
    if kind == "markets" and not id_:
        return _markets_parser(adapter, topic, wanted)
    if not is_possible_symbol(symbol) or bool(resolution) != (kind == "candles"):
        return None
    if kind == "orderbook":
        return _book_parser(adapter, topic, symbol, has_offsets=protocol == "v3")
    if kind == "trades":
        return _trades_parser(adapter, topic, symbol, wanted)
    if kind == "candles" and resolution in _RESOLUTIONS:
        return _bars_parser(adapter, topic, symbol, _RESOLUTIONS[resolution])
    return None


def _book_parser(adapter: Adapter, topic: str, symbol: str, *, has_offsets: bool) -> TopicParser:
    last_data_ns, held_ns, notices = adapter.last_data_ns, adapter.held_ns, adapter.notices
    book = Book(adapter.exchange, symbol, topic, has_offsets=has_offsets)

    def parse_book(head: Head, contents: msgspec.Raw, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        age = head.message_id or 0
        if head.kind == _FIRST:
            book.snapshot(decode_picture(contents), age, receive_ns, out, notices)
        else:
            changes: Iterable[BookChange]
            changes = decode_books(contents) if head.kind == _BATCH else (decode_book(contents),)
            for change in changes:
                book.update(change, age, receive_ns, out, notices)
        if book.live:  # a book that waits for its snapshot has no data yet
            last_data_ns[topic] = receive_ns
        else:
            held_ns[topic] = receive_ns

    def lose(reason: str, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        book.lose(reason, receive_ns, out, notices)

    return TopicParser(parse_book, lose)


def _trades_parser(adapter: Adapter, topic: str, symbol: str, wanted: Wanted) -> TopicParser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    wires = {channel: trade_wire(topic, channel) for channel in sorted(TRADE_CHANNELS)}
    last_ns = 0

    def parse_trades(head: Head, contents: msgspec.Raw, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        nonlocal last_ns
        channels = TRADE_CHANNELS if adapter.adopt else wanted.channels
        rows: list[TradeRow]
        if head.kind == _BATCH:
            rows = [row for part in decode_trade_lists(contents) for row in part.trades]
        else:
            rows = decode_trades(contents).trades
        events: list[MarketEvent[str]] = []
        for row in rows:
            time_ns = iso_ns(row.time)
            side: Side = "buy" if row.side == "BUY" else "sell"
            if "trade" in channels:
                events.append(Trade(exchange, symbol, time_ns, receive_ns, row.price, row.size, side, row.id))
            if "liquidation" in channels and (row.liquidation or row.kind == _LIQUIDATED):
                events.append(Liquidation(exchange, symbol, time_ns, receive_ns, side, row.price, row.size))
        if head.kind == _FIRST:
            events.sort(key=lambda event: event.exchange_ns)  # past trades come with the newest first
        out += events
        last_ns = receive_ns
        for channel in channels:
            last_data_ns[wires[channel]] = receive_ns

    def lose(reason: str, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if last_ns and ("trade" in wanted.channels or adapter.adopt):
            stream = EVENT_MARKET_TRADE
            out.append(Gap(exchange, symbol, 0, receive_ns, stream, None, None, last_ns, receive_ns, reason))

    return TopicParser(parse_trades, lose)


def _bars_parser(adapter: Adapter, topic: str, symbol: str, interval: str) -> TopicParser:
    """Nothing says that a bar is closed: the first message about the next bar closes it."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    running: Bar[str] | None = None

    def parse_bars(head: Head, contents: msgspec.Raw, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        nonlocal running
        rows: list[CandleRow]
        if head.kind == _FIRST:
            rows = sorted(decode_candle_list(contents).candles, key=lambda row: row.start)
        else:
            rows = decode_candles(contents) if head.kind == _BATCH else [decode_candle(contents)]
        events: list[MarketEvent[str]] = []
        latest = running
        for row in rows:
            start_ns = iso_ns(row.start)
            bar: Bar[str] = Bar(
                exchange,
                symbol,
                0,
                receive_ns,
                interval,
                start_ns,
                row.open,
                row.high,
                row.low,
                row.close,
                row.volume,
                closed=False,
            )
            if latest is not None and latest.start_ns < start_ns:
                events.append(structs.replace(latest, receive_ns=receive_ns, closed=True))
            if latest is None or latest.start_ns <= start_ns:
                latest = bar
            events.append(bar)
        out += events
        running = latest
        last_data_ns[topic] = receive_ns

    return TopicParser(parse_bars)


def _markets_parser(adapter: Adapter, topic: str, wanted: Wanted) -> TopicParser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def wants(channel: str, symbol: str, receive_ns: int) -> bool:
        if adapter.adopt or f"{channel}/{symbol}" in wanted.channels:
            last_data_ns[market_wire(topic, channel, symbol)] = receive_ns
            return True
        return False

    def markets(rows: Mapping[str, Market], receive_ns: int, events: list[MarketEvent[str]]) -> None:
        for symbol, row in rows.items():
            if not is_possible_symbol(symbol):
                continue
            if row.funding and wants("funding", symbol, receive_ns):
                due_ns = 0 if row.funding_due is None else iso_ns(row.funding_due)
                events.append(Funding(exchange, symbol, 0, receive_ns, row.funding, due_ns))
            if row.oracle_price and wants("mark_price", symbol, receive_ns):
                events.append(MarkPrice(exchange, symbol, 0, receive_ns, row.oracle_price))
            if row.open_interest and wants("open_interest", symbol, receive_ns):
                events.append(OpenInterest(exchange, symbol, 0, receive_ns, row.open_interest))

    def oracle_prices(rows: Mapping[str, OraclePrice], receive_ns: int, events: list[MarketEvent[str]]) -> None:
        for symbol, row in rows.items():
            if is_possible_symbol(symbol) and wants("mark_price", symbol, receive_ns):
                time_ns = 0 if row.time is None else iso_ns(row.time)
                events.append(MarkPrice(exchange, symbol, time_ns, receive_ns, row.price))

    def parse_markets(head: Head, contents: msgspec.Raw, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        events: list[MarketEvent[str]] = []
        changes: list[MarketsChange]
        if topic.startswith("v3") and head.kind != _FIRST:
            changes = [MarketsChange(markets=decode_markets_of_v3(contents))]
        else:
            changes = decode_markets_changes(contents) if head.kind == _BATCH else [decode_markets(contents)]
        for change in changes:
            markets(change.markets, receive_ns, events)
            markets(change.trading, receive_ns, events)
            oracle_prices(change.oracle_prices, receive_ns, events)
        out += events

    return TopicParser(parse_markets)
