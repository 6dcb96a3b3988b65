"""Parsers: each is made for one topic, and appends the events that a frame of it means.

A parser decodes a frame once, with the type of its channel, and keeps at hand what it needs for each: the hot path
looks up no attribute of the adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TypeAlias

import msgspec

from foxtrot_protocol.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    Funding,
    Liquidation,
    MarketEvent,
    MarkPrice,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.number_text import number_text, optional_number_text
from foxtrot_workers.adapter.quote_side import EMPTY_SIDE, price_or_none, quoted_numbers
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.exchanges.huobi.books import MbpBook, levels_of, mbp_delta_of, mbp_snapshot_of
from foxtrot_workers.exchanges.huobi.constants import INTERVALS, MS, S
from foxtrot_workers.exchanges.huobi.instruments import is_possible_symbol
from foxtrot_workers.exchanges.huobi.messages import (
    TradeRow,
    decode_bar,
    decode_book,
    decode_funding,
    decode_liquidations,
    decode_mbp,
    decode_spot_quote,
    decode_spot_ticker,
    decode_swap_quote,
    decode_swap_ticker,
    decode_trades,
)

__all__ = ["SPOT_PARSERS", "SWAP_PARSERS", "Factory", "OpenBook", "make_parser", "symbol_of"]

OpenBook: TypeAlias = Callable[[str, str], MbpBook]
"""Returns a fresh book of increments: ``(symbol, wire)``."""

Factory: TypeAlias = Callable[[Adapter, str, str, OpenBook], Parser]
"""Makes the parser of a topic: ``(adapter, symbol, wire, open_book)``."""


def symbol_of(wire: str) -> tuple[str, str]:
    """Return symbol and channel that the topic `wire` names: ``market.SYMBOL.CHANNEL``; two empty texts if none."""
    parts = wire.split(".", 2)
    if len(parts) == 3 and parts[0] in ("market", "public") and is_possible_symbol(parts[1]):
        return parts[1], parts[2]
    return "", ""


def make_parser(adapter: Adapter, wire: str, factories: Mapping[str, Factory], open_book: OpenBook) -> Parser | None:
    """Return the parser of the topic `wire`; None if its channel is unknown or its symbol impossible.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parser fills in.
        wire: the topic.
        factories: of the market.
        open_book: returns a fresh book of increments.
    """
    symbol, channel = symbol_of(wire)
    make = factories.get(channel)
    return None if make is None else make(adapter, symbol, wire, open_book)


def _trades_parser(adapter: Adapter, symbol: str, wire: str, _: OpenBook) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        rows = decode_trades(frame).tick.data
        if len(rows) > 1:
            rows = _oldest_first(rows)
        out.extend(
            [
                Trade(
                    exchange,
                    symbol,
                    row.time * MS,
                    receive_ns,
                    price if type(price := row.price) is str and price else number_text(price),
                    size if type(size := row.amount) is str and size else number_text(size),
                    row.direction,
                    number_text(row.id) if row.short_id is None else str(row.short_id),
                )
                for row in rows
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_trades


_short_id = attrgetter("short_id")


def _oldest_first(rows: list[TradeRow]) -> list[TradeRow]:
    """Spot sends the trades of a frame newest first; swaps, which have no short id, oldest first."""
    return rows if any(row.short_id is None for row in rows) else sorted(rows, key=_short_id)


def _spot_quotes_parser(adapter: Adapter, symbol: str, wire: str, _: OpenBook) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_quotes(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_spot_quote(frame)
        tick = push.tick
        bid, bid_size = quoted_numbers(tick.bid, tick.bid_size)
        ask, ask_size = quoted_numbers(tick.ask, tick.ask_size)
        update_id = "" if tick.sequence is None else str(tick.sequence)
        time_ns = (tick.time or push.time) * MS
        out.append(Quote(exchange, symbol, time_ns, receive_ns, bid, bid_size, ask, ask_size, update_id))
        last_data_ns[wire] = receive_ns

    return parse_quotes


def _swap_quotes_parser(adapter: Adapter, symbol: str, wire: str, _: OpenBook) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_quotes(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_swap_quote(frame)
        tick = push.tick
        bid, bid_size = EMPTY_SIDE if tick.bid is None else quoted_numbers(*tick.bid)
        ask, ask_size = EMPTY_SIDE if tick.ask is None else quoted_numbers(*tick.ask)
        update_id = "" if tick.match_id is None else str(tick.match_id)
        time_ns = (tick.time or push.time) * MS
        out.append(Quote(exchange, symbol, time_ns, receive_ns, bid, bid_size, ask, ask_size, update_id))
        last_data_ns[wire] = receive_ns

    return parse_quotes


def _pictures_parser(adapter: Adapter, symbol: str, wire: str, _: OpenBook) -> Parser:
    """``depth.step0`` and the like: every message is a full picture."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_pictures(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_book(frame)
        tick = push.tick
        number = tick.version if tick.match_id is None else tick.match_id
        last_id = None if number is None else str(number)
        bids, asks = levels_of(tick.bids), levels_of(tick.asks)
        out.append(BookSnapshot(exchange, symbol, push.time * MS, receive_ns, bids, asks, None, last_id, None))
        last_data_ns[wire] = receive_ns

    return parse_pictures


def _mbp_pictures_parser(adapter: Adapter, symbol: str, wire: str, _: OpenBook) -> Parser:
    """``mbp.refresh…``: every message is a full picture."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_pictures(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_mbp(frame)
        out.append(mbp_snapshot_of(exchange, symbol, push.time, receive_ns, push.tick))
        last_data_ns[wire] = receive_ns

    return parse_pictures


def _mbp_parser(adapter: Adapter, symbol: str, wire: str, open_book: OpenBook) -> Parser:
    """``mbp…``: increments."""
    exchange, last_data_ns, held_ns = adapter.exchange, adapter.last_data_ns, adapter.held_ns
    book = open_book(symbol, wire)

    def parse_increments(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_mbp(frame)
        tick = push.tick
        previous = tick.previous_id
        if previous is None:
            raise msgspec.ValidationError("an increment without `prevSeqNum`")
        delta = mbp_delta_of(exchange, symbol, push.time, receive_ns, tick, previous)
        book.update(delta, previous, tick.last_id, out)
        if book.live:
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_increments


def _chained_parser(adapter: Adapter, symbol: str, wire: str, _: OpenBook) -> Parser:
    """``depth.size_….high_freq`` of swaps: a snapshot, then updates with consecutive versions.

    With ``data_type`` all, which is what a frame without ``event`` means, every message is a snapshot.
    """
    exchange, notices = adapter.exchange, adapter.notices
    last_data_ns, held_ns = adapter.last_data_ns, adapter.held_ns
    book = ChainedBook(exchange, symbol, wire)

    def parse_chained(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_book(frame)
        tick, time_ns = push.tick, push.time * MS
        version = tick.version
        last_id = None if version is None else str(version)
        bids, asks = levels_of(tick.bids), levels_of(tick.asks)
        if tick.event == "update":
            if version is None:
                raise msgspec.ValidationError("an update without `version`")
            first_id = str(version - 1)
            delta = BookDelta(exchange, symbol, time_ns, receive_ns, bids, asks, first_id, last_id, None)
            book.update(delta, version - 1, version, out, notices)
        else:
            snapshot = BookSnapshot(exchange, symbol, time_ns, receive_ns, bids, asks, None, last_id, None)
            book.snapshot(snapshot, version, out, notices)
        if book.live:
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_chained


def _spot_tickers_parser(adapter: Adapter, symbol: str, wire: str, _: OpenBook) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_tickers(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_spot_ticker(frame)
        tick = push.tick
        bid, bid_size = quoted_numbers(tick.bid, tick.bid_size)
        ask, ask_size = quoted_numbers(tick.ask, tick.ask_size)
        out.append(
            Ticker(
                exchange,
                symbol,
                push.time * MS,
                receive_ns,
                optional_number_text(tick.last),
                optional_number_text(tick.open),
                optional_number_text(tick.high),
                optional_number_text(tick.low),
                optional_number_text(tick.amount),
                optional_number_text(tick.turnover),
                bid,
                bid_size,
                ask,
                ask_size,
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_tickers


def _swap_tickers_parser(adapter: Adapter, symbol: str, wire: str, _: OpenBook) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_tickers(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_swap_ticker(frame)
        tick = push.tick
        bid, bid_size = EMPTY_SIDE if tick.bid is None else quoted_numbers(*tick.bid)
        ask, ask_size = EMPTY_SIDE if tick.ask is None else quoted_numbers(*tick.ask)
        out.append(
            Ticker(
                exchange,
                symbol,
                push.time * MS,
                receive_ns,
                price_or_none(optional_number_text(tick.close)),
                optional_number_text(tick.open),
                optional_number_text(tick.high),
                optional_number_text(tick.low),
                optional_number_text(tick.volume),
                optional_number_text(tick.turnover),
                bid,
                bid_size,
                ask,
                ask_size,
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_tickers


_INTERVAL_OF = {f"kline.{name}": interval for interval, name in INTERVALS.items()}


def _bars_parser_of(volume_field: str) -> Factory:
    """Return the factory for bars whose volume is in this field; nothing on the wire says that a bar is closed."""
    volume_of = attrgetter(volume_field)

    def bars_parser(adapter: Adapter, symbol: str, wire: str, _: OpenBook) -> Parser:
        exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
        interval = _INTERVAL_OF[symbol_of(wire)[1]]

        def parse_bars(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
            push = decode_bar(frame)
            tick = push.tick
            out.append(
                Bar(
                    exchange,
                    symbol,
                    push.time * MS,
                    receive_ns,
                    interval,
                    tick.start * S,
                    number_text(tick.open),
                    number_text(tick.high),
                    number_text(tick.low),
                    number_text(tick.close),
                    number_text(volume_of(tick)),
                    False,
                )
            )
            last_data_ns[wire] = receive_ns

        return parse_bars

    return bars_parser


def _mark_prices_parser(adapter: Adapter, symbol: str, wire: str, _: OpenBook) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_mark_prices(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_bar(frame)
        out.append(MarkPrice(exchange, symbol, push.time * MS, receive_ns, number_text(push.tick.close)))
        last_data_ns[wire] = receive_ns

    return parse_mark_prices


def _funding_parser(adapter: Adapter, symbol: str, wire: str, _: OpenBook) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_funding(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_funding(frame)
        out.extend(
            [
                Funding(exchange, symbol, push.time * MS, receive_ns, number_text(row.rate), _due_ns(row.due))
                for row in push.data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_funding


def _due_ns(text: str) -> int:
    """Return the nanoseconds of a time in milliseconds, as text; 0 where it is empty. Raises `ValidationError`."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > len("1603958400000"):
        raise msgspec.ValidationError(f"not a time: {text[:40]!r}")
    return int(text) * MS


def _liquidations_parser(adapter: Adapter, symbol: str, wire: str, _: OpenBook) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_liquidations(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Liquidation(
                    exchange,
                    symbol,
                    row.time * MS,
                    receive_ns,
                    row.direction,
                    number_text(row.price),
                    number_text(row.volume),
                )
                for row in decode_liquidations(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_liquidations


SPOT_PARSERS: Mapping[str, Factory] = {
    "trade.detail": _trades_parser,
    "bbo": _spot_quotes_parser,
    "ticker": _spot_tickers_parser,
    **{f"depth.step{step}": _pictures_parser for step in range(6)},
    **{f"mbp.refresh.{levels}": _mbp_pictures_parser for levels in (5, 10, 20)},
    **{f"mbp.{levels}": _mbp_parser for levels in (5, 20, 150, 400)},
    **{f"kline.{name}": _bars_parser_of("amount") for name in INTERVALS.values()},
}
"""By channel as the exchange names it; volumes of spot bars are in base units."""

SWAP_PARSERS: Mapping[str, Factory] = {
    "trade.detail": _trades_parser,
    "bbo": _swap_quotes_parser,
    "detail": _swap_tickers_parser,
    **{f"depth.step{step}": _pictures_parser for step in range(20)},
    **{f"depth.size_{levels}.high_freq": _chained_parser for levels in (20, 150)},
    **{f"kline.{name}": _bars_parser_of("volume") for name in INTERVALS.values()},
    "mark_price.1min": _mark_prices_parser,
    "funding_rate": _funding_parser,
    "liquidation_orders": _liquidations_parser,
}
"""The same for swaps; volumes of bars are in contracts."""
