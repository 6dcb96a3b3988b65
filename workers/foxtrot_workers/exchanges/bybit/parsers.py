"""Parsers: each is made for one topic, and appends the events that a frame of it means.

A parser decodes a frame once, with the type of its topic, and keeps at hand what it needs for each: the hot path looks
up no attribute of the adapter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec.structs import astuple

from foxtrot_protocol.events import (
    Bar,
    BookDelta,
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
from foxtrot_workers.adapter.book_chain import BookChain
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.frame_kinds import DeclaredStream
from foxtrot_workers.adapter.quote_side import EMPTY_SIDE, price_or_none, quoted
from foxtrot_workers.adapter.rest_book import RestBook
from foxtrot_workers.adapter.rest_books import RestBooks
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.bybit.books import DecodeBook, decode_plain, decode_rpi, delta_of, snapshot_of
from foxtrot_workers.exchanges.bybit.constants import INTERVALS, MS, TICKER_CHANNELS
from foxtrot_workers.exchanges.bybit.instruments import is_possible_symbol
from foxtrot_workers.exchanges.bybit.messages import (
    TickerData,
    decode_book,
    decode_klines,
    decode_liquidations,
    decode_old_liquidation,
    decode_ticker,
    decode_trades,
)

__all__ = ["Channels", "make_parser", "ticker_wire"]

_WIRE_INTERVALS = {wire: interval for interval, wire in INTERVALS.items()}


class Channels:
    """Which channels of one ``tickers`` topic are subscribed: changed by the adapter, read by the parser."""

    __slots__ = ("wanted",)

    def __init__(self, wanted: frozenset[str]) -> None:
        self.wanted = wanted


class _Topic(NamedTuple):
    """What every parser is made of."""

    adapter: Adapter
    wire: str
    kind: str
    symbol: str
    channels: Channels
    full_books: RestBooks


def ticker_wire(topic: str, channel: str) -> str:
    """Return the wire name of `channel`, which the topic ``tickers.SYMBOL`` carries."""
    return topic if channel == "ticker" else shared_wire(topic, channel)


def make_parser(adapter: Adapter, topic: str, channels: Channels, full_books: RestBooks) -> Parser | None:
    """Return the parser of `topic`; None if its kind is unknown or its symbol impossible.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parser fills in.
        topic: as the exchange names it.
        channels: of a ``tickers`` topic.
        full_books: where the book of an ``orderbook.full`` topic is opened.
    """
    kind, _, symbol = topic.rpartition(".")
    head = kind.partition(".")[0]
    make = _FACTORIES.get(kind) or _FACTORIES.get(f"{head}.*")
    if make is None or not is_possible_symbol(symbol):
        return None
    return make(_Topic(adapter, topic, kind, symbol, channels, full_books))


def _declare(topic: _Topic, decode: Callable[[bytes], Any], event: type, chain: BookChain | None = None) -> None:
    """Allow templates of the frames of a topic: nothing but their content, and its book, decides about the events.

    The time of the push is used for books only, where the matching engine's is missing: such frames have no template.
    """
    stream = DeclaredStream(topic.wire, topic.symbol, topic.wire, chain)
    kinds = topic.adapter.frame_kinds
    kinds.declare(decode, event, topic.adapter.exchange, stream, key=("topic",), unused=(("ts",),))


def _trades_parser(topic: _Topic) -> Parser:
    """Rows name their symbol: the topic of options names only their base coin."""
    exchange, wire = topic.adapter.exchange, topic.wire
    last_data_ns = topic.adapter.last_data_ns
    _declare(topic, decode_trades, Trade)

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Trade(
                    exchange,
                    row.symbol,
                    row.time * MS,
                    receive_ns,
                    row.price,
                    row.size,
                    "buy" if row.side == "Buy" else "sell",
                    row.trade_id,
                )
                for row in decode_trades(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_trades


def _quotes_parser(topic: _Topic) -> Parser:
    """``orderbook.1`` sends the best levels whole. Until 2023 it also sent changes of them."""
    exchange, symbol, wire = topic.adapter.exchange, topic.symbol, topic.wire
    last_data_ns = topic.adapter.last_data_ns
    held_ns = topic.adapter.held_ns
    best: tuple[list[tuple[str, str]], list[tuple[str, str]]] | None = None
    last_id = 0

    def parse_quotes(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        nonlocal best, last_id
        push = decode_book(frame)
        data = push.data
        bids, asks = data.bids, data.asks
        if push.kind == "delta" and data.update_id != 1:
            if best is None or data.update_id != last_id + 1:
                best = None  # unknown until the next whole frame
                held_ns[wire] = receive_ns
                return
            bids, asks = _changed(best[0], bids), _changed(best[1], asks)
        best, last_id = (bids, asks), data.update_id
        bid, bid_size = quoted(*bids[0]) if bids else EMPTY_SIDE
        ask, ask_size = quoted(*asks[0]) if asks else EMPTY_SIDE
        time = push.time if push.engine_time is None else push.engine_time
        out.append(Quote(exchange, symbol, time * MS, receive_ns, bid, bid_size, ask, ask_size, str(data.update_id)))
        last_data_ns[wire] = receive_ns

    return parse_quotes


def _changed(best: list[tuple[str, str]], changes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return one side of a book of one level after `changes`: a removed level, a new one, or both."""
    new = [level for level in changes if quoted(*level) != EMPTY_SIDE]
    if new:
        return new[:1]
    removed = {price for price, _ in changes}
    return [level for level in best if level[0] not in removed]


def _books_parser(topic: _Topic) -> Parser:
    book = ChainedBook(topic.adapter.exchange, topic.symbol, topic.wire, first_after_last=1)
    _declare(topic, decode_book, BookDelta, book.chain)
    return _any_book_parser(topic, decode_plain, book)


def _rpi_books_parser(topic: _Topic) -> Parser:
    return _any_book_parser(topic, decode_rpi, ChainedBook(topic.adapter.exchange, topic.symbol, topic.wire))


def _any_book_parser(topic: _Topic, decode: DecodeBook, book: ChainedBook) -> Parser:
    exchange, symbol, wire = topic.adapter.exchange, topic.symbol, topic.wire
    last_data_ns = topic.adapter.last_data_ns
    held_ns = topic.adapter.held_ns
    notices = topic.adapter.notices

    def parse_book(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode(frame)
        update_id = push.data.update_id
        if push.kind == "snapshot" or update_id == 1:  # the service has restarted: the whole book
            book.snapshot(snapshot_of(exchange, symbol, receive_ns, push), update_id, out, notices)
        else:
            book.update(delta_of(exchange, symbol, receive_ns, push), update_id - 1, update_id, out, notices)
        if book.live:  # a book that waits for its snapshot has no data yet
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_book


def _full_books_parser(topic: _Topic) -> Parser:
    exchange, symbol, wire = topic.adapter.exchange, topic.symbol, topic.wire
    last_data_ns = topic.adapter.last_data_ns
    held_ns = topic.adapter.held_ns
    notices = topic.adapter.notices
    book: RestBook = topic.full_books.open(symbol, wire)
    _declare(topic, decode_book, BookDelta, book.chain)

    def parse_full_book(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_book(frame)
        update_id = push.data.update_id
        book.delta(delta_of(exchange, symbol, receive_ns, push), update_id, update_id, None, out, notices)
        if book.live:  # a book that waits for its snapshot has no data yet
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_full_book


def _bars_parser(topic: _Topic) -> Parser:
    exchange, symbol, wire = topic.adapter.exchange, topic.symbol, topic.wire
    last_data_ns = topic.adapter.last_data_ns
    wire_interval = topic.kind.partition(".")[2]
    interval = _WIRE_INTERVALS.get(wire_interval, wire_interval)

    def parse_bars(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_klines(frame)
        time_ns = push.time * MS
        out.extend(
            [
                Bar(
                    exchange,
                    symbol,
                    time_ns,
                    receive_ns,
                    interval,
                    row.start * MS,
                    row.open,
                    row.high,
                    row.low,
                    row.close,
                    row.volume,
                    row.closed,
                )
                for row in push.data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_bars


def _liquidations_parser(topic: _Topic) -> Parser:
    exchange, symbol, wire = topic.adapter.exchange, topic.symbol, topic.wire
    last_data_ns = topic.adapter.last_data_ns

    def parse_liquidations(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Liquidation(
                    exchange,
                    symbol,
                    row.time * MS,
                    receive_ns,
                    "sell" if row.position == "Buy" else "buy",  # a liquidated long sells
                    row.price,
                    row.size,
                )
                for row in decode_liquidations(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_liquidations


def _old_liquidations_parser(topic: _Topic) -> Parser:
    """``liquidation``, in recordings from before ``allLiquidation``."""
    exchange, symbol, wire = topic.adapter.exchange, topic.symbol, topic.wire
    last_data_ns = topic.adapter.last_data_ns

    def parse_old_liquidation(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        row = decode_old_liquidation(frame).data
        side: Side = "sell" if row.position == "Buy" else "buy"  # a liquidated long sells
        out.append(Liquidation(exchange, symbol, row.time * MS, receive_ns, side, row.price, row.size))
        last_data_ns[wire] = receive_ns

    return parse_old_liquidation


def _tickers_parser(topic: _Topic) -> Parser:
    """One topic has the ticker, funding, mark price and open interest.

    In a delta, what is missing has not changed: a ticker is published whole, the others when the frame has them.
    """
    exchange, symbol = topic.adapter.exchange, topic.symbol
    last_data_ns = topic.adapter.last_data_ns
    channels = topic.channels
    wires = {channel: ticker_wire(topic.wire, channel) for channel in sorted(TICKER_CHANNELS)}
    state = TickerData()

    def parse_tickers(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        nonlocal state
        push = decode_ticker(frame)
        data, time_ns = push.data, push.time * MS
        state = data if push.kind == "snapshot" else _merged(state, data)
        wanted = channels.wanted
        if "ticker" in wanted:
            out.append(_ticker(exchange, symbol, time_ns, receive_ns, state))
        if "funding" in wanted and (data.funding_rate or data.funding_due) and state.funding_rate:
            due_ns = (state.funding_due or 0) * MS
            out.append(Funding(exchange, symbol, time_ns, receive_ns, state.funding_rate, due_ns))
        if "mark_price" in wanted and data.mark_price:
            out.append(MarkPrice(exchange, symbol, time_ns, receive_ns, data.mark_price))
        if "open_interest" in wanted and data.open_interest:
            out.append(OpenInterest(exchange, symbol, time_ns, receive_ns, data.open_interest))
        for channel in wanted:
            last_data_ns[wires[channel]] = receive_ns

    return parse_tickers


def _merged(state: TickerData, data: TickerData) -> TickerData:
    return TickerData(*(old if new is None else new for old, new in zip(astuple(state), astuple(data), strict=True)))


def _ticker(exchange: str, symbol: str, time_ns: int, receive_ns: int, state: TickerData) -> Ticker[str]:
    bid = state.bid if state.bid is not None else state.option_bid
    ask = state.ask if state.ask is not None else state.option_ask
    return Ticker(
        exchange,
        symbol,
        time_ns,
        receive_ns,
        state.last or None,
        state.open or None,
        state.high or None,
        state.low or None,
        state.volume or None,
        state.turnover or None,
        price_or_none(bid),
        state.bid_size or state.option_bid_size or None,
        price_or_none(ask),
        state.ask_size or state.option_ask_size or None,
    )


_FACTORIES: dict[str, Callable[[_Topic], Parser]] = {
    "publicTrade": _trades_parser,
    "trade.*": _trades_parser,
    "orderbook.1": _quotes_parser,
    "orderbook.rpi": _rpi_books_parser,
    "orderbook.full": _full_books_parser,
    "orderbook.*": _books_parser,
    "tickers": _tickers_parser,
    "kline.*": _bars_parser,
    "allLiquidation": _liquidations_parser,
    "liquidation": _old_liquidations_parser,
}
"""By the topic without its symbol; ``*`` stands for a depth, an interval or a category."""
