"""Parsers: each is made for one topic, and appends the events that a frame of it means.

A parser decodes a frame once, with the type of its topic, and keeps at hand what it needs for each: the hot path looks
up no attribute of the adapter.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from foxtrot_protocol.events import (
    Bar,
    BookSnapshot,
    Funding,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.quote_side import EMPTY_SIDE, quoted
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.hyperliquid.constants import (
    CONTEXT_CHANNELS,
    CONTEXT_KIND,
    FAST_BOOK_KIND,
    INTERVALS,
    MS,
)
from foxtrot_workers.exchanges.hyperliquid.instruments import is_possible_symbol
from foxtrot_workers.exchanges.hyperliquid.messages import (
    decode_bbo,
    decode_book,
    decode_candle,
    decode_context,
    decode_trades,
)
from foxtrot_workers.exchanges.hyperliquid.requests import subscription_of

__all__ = ["Channels", "context_wire", "make_parser"]


class Channels:
    """Which channels of one context topic are subscribed: changed by the adapter, read by the parser."""

    __slots__ = ("wanted",)

    def __init__(self, wanted: frozenset[str]) -> None:
        self.wanted = wanted


def context_wire(topic: str, channel: str) -> str:
    """Return the wire name of `channel`, which the context `topic` carries."""
    return topic if channel == "ticker" else shared_wire(topic, channel)


def make_parser(adapter: Adapter, topic: str, channels: Channels) -> Parser | None:
    """Return the parser of `topic`; None if its kind is unknown or its coin impossible.

    Args:
        adapter: its `exchange` and `last_data_ns` are what the parser fills in.
        topic: wire name of the topic.
        channels: of a context topic.
    """
    kind = topic.partition(":")[0]
    symbol = subscription_of(topic).coin
    if not is_possible_symbol(symbol):
        return None
    if kind == CONTEXT_KIND:
        return _context_parser(adapter, topic, symbol, channels)
    make = _FACTORIES.get(kind)
    return None if make is None else make(adapter, topic, symbol)


def _trades_parser(adapter: Adapter, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Trade(
                    exchange,
                    row.coin,
                    row.time * MS,
                    receive_ns,
                    row.price,
                    row.size,
                    "buy" if row.side == "B" else "sell",
                    str(row.trade_id),
                )
                for row in decode_trades(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_trades


def _quotes_parser(adapter: Adapter, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns

    def parse_quote(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_bbo(frame).data
        best_bid, best_ask = data.bbo
        bid, bid_size = EMPTY_SIDE if best_bid is None else quoted(best_bid.price, best_bid.size)
        ask, ask_size = EMPTY_SIDE if best_ask is None else quoted(best_ask.price, best_ask.size)
        out.append(Quote(exchange, symbol, data.time * MS, receive_ns, bid, bid_size, ask, ask_size, ""))
        last_data_ns[wire] = receive_ns

    return parse_quote


def _books_parser(adapter: Adapter, wire: str, symbol: str) -> Parser:
    """Every message is a full book: no continuity is needed."""
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns

    def parse_book(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_book(frame).data
        bids, asks = data.levels
        out.append(
            BookSnapshot(
                exchange,
                symbol,
                data.time * MS,
                receive_ns,
                [(level.price, level.size) for level in bids],
                [(level.price, level.size) for level in asks],
                None,
                None,
                None,
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_book


def _context_parser(adapter: Adapter, topic: str, symbol: str, channels: Channels) -> Parser:
    """The figures of an asset come without a time."""
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    wires = {channel: context_wire(topic, channel) for channel in sorted(CONTEXT_CHANNELS)}

    def parse_context(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        figures = decode_context(frame).data.context
        wanted = channels.wanted
        if "ticker" in wanted:
            volume, turnover = figures.day_volume, figures.day_turnover
            day_open = figures.day_open or None
            out.append(Ticker(exchange, symbol, 0, receive_ns, None, day_open, None, None, volume, turnover))
        if "funding" in wanted and figures.funding:
            out.append(Funding(exchange, symbol, 0, receive_ns, figures.funding, 0))
        if "mark_price" in wanted and figures.mark_price:
            out.append(MarkPrice(exchange, symbol, 0, receive_ns, figures.mark_price))
        if "open_interest" in wanted and figures.open_interest:
            out.append(OpenInterest(exchange, symbol, 0, receive_ns, figures.open_interest))
        for channel in wanted:
            last_data_ns[wires[channel]] = receive_ns

    return parse_context


def _bars_parser(adapter: Adapter, wire: str, symbol: str) -> Parser:
    """Nothing says that a bar is closed: the first frame of the next bar closes it."""
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    interval = subscription_of(wire).interval
    running: Bar[str] | None = None

    def parse_bar(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        nonlocal running
        data = decode_candle(frame).data
        bar: Bar[str] = Bar(
            exchange,
            symbol,
            0,
            receive_ns,
            interval,
            data.start * MS,
            data.open,
            data.high,
            data.low,
            data.close,
            data.volume,
            closed=False,
        )
        if running is not None and running.start_ns < bar.start_ns:
            out.append(structs.replace(running, receive_ns=receive_ns, closed=True))
        if running is None or running.start_ns <= bar.start_ns:
            running = bar
        out.append(bar)
        last_data_ns[wire] = receive_ns

    return parse_bar


_FACTORIES: dict[str, Callable[[Adapter, str, str], Parser]] = {
    "trades": _trades_parser,
    "bbo": _quotes_parser,
    "l2Book": _books_parser,
    FAST_BOOK_KIND: _books_parser,
    **{f"candle.{interval}": _bars_parser for interval in INTERVALS},
}
