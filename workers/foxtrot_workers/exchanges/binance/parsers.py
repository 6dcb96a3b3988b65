"""Parsers: each is made for one stream, and appends the events that a frame of it means.

A parser decodes a frame once, with the type of its stream, and keeps at hand what it needs for each: the hot path
looks up no attribute of the adapter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import structs

from foxtrot_protocol.decimal_text import is_zero
from foxtrot_protocol.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    Funding,
    Liquidation,
    MarketEvent,
    MarkPrice,
    Quote,
    Side,
    Ticker,
    Trade,
)
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.frame_kinds import DeclaredStream, Path
from foxtrot_workers.adapter.quote_side import price_or_none, quoted
from foxtrot_workers.adapter.rest_book import RestBook
from foxtrot_workers.exchanges.binance.books import Books
from foxtrot_workers.exchanges.binance.constants import INTERVALS, MS
from foxtrot_workers.exchanges.binance.instruments import is_possible_symbol
from foxtrot_workers.exchanges.binance.messages import (
    CombinedFrame,
    Decoders,
    decode_force_order,
    decode_futures_depth,
    decode_futures_quote,
    decode_futures_trade,
    decode_mark_price,
)

__all__ = ["Parser", "make_futures_parser", "make_parser", "symbol_of_book_stream"]

Parser: TypeAlias = Callable[[bytes, int, list[MarketEvent[str]]], None]
"""Called with a combined frame, its receive time (nanoseconds since 1970), and the list that events are appended to.
Raises `msgspec.DecodeError`."""

_KIND = re.compile(
    r"(?P<kind>trade|aggTrade|bookTicker|ticker|depth|depth5|depth10|depth20|"
    rf"kline_(?:{'|'.join(INTERVALS)}))(?:@100ms|@1000ms)?"
)
"""A stream's name after the symbol."""

_FUTURES_KIND = re.compile(
    r"(?P<kind>trade|aggTrade|bookTicker|ticker|markPrice@1s|markPrice|forceOrder|"
    rf"(?P<depth>depth|depth5|depth10|depth20)|kline_(?:{'|'.join(INTERVALS)}))(?(depth)(?:@[0-9]{{1,4}}ms)?)"
)


def make_parser(adapter: Adapter, decoders: Decoders, books: Books, wire: str) -> Parser | None:
    """Return the parser of the stream `wire`; None if no stream of a known kind can have this name.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parser fills in.
        decoders: those for the unit of time that the connection uses.
        books: where the book of a diff-depth stream is opened.
    """
    symbol, _, suffix = wire.partition("@")
    match = _KIND.fullmatch(suffix)
    if match is None or not is_possible_symbol(symbol):
        return None
    kind, symbol = match["kind"], symbol.upper()
    if kind == "depth":
        return _depth_parser(adapter, decoders, books.open(symbol, wire), wire, symbol)
    make = _FACTORIES.get(kind) or (_partial_book_parser if kind.startswith("depth") else _kline_parser)
    return make(adapter, decoders, wire, symbol)


def make_futures_parser(
    adapter: Adapter, decoders: Decoders, books: Books, wire: str, *, counts_contracts: bool
) -> Parser | None:
    """Return the same for a stream of futures; `counts_contracts`: no volume is in quote units."""
    symbol, _, suffix = wire.partition("@")
    match = _FUTURES_KIND.fullmatch(suffix)
    if match is None or not is_possible_symbol(symbol):
        return None
    kind, symbol = match["kind"], symbol.upper()
    if kind == "depth":
        return _futures_depth_parser(adapter, books.open(symbol, wire), wire, symbol)
    if kind == "ticker" and counts_contracts:
        return _contract_ticker_parser(adapter, decoders, wire, symbol)
    make = _FUTURES_FACTORIES.get(kind) or (_futures_partial_book_parser if kind.startswith("depth") else _kline_parser)
    return make(adapter, decoders, wire, symbol)


def symbol_of_book_stream(wire: str) -> str | None:
    """Return the symbol of a diff-depth stream; None for other streams."""
    symbol, _, suffix = wire.partition("@")
    return symbol.upper() if re.fullmatch(r"depth(?:@[0-9]+ms)?", suffix) else None


def _trade_parser(adapter: Adapter, decoders: Decoders, wire: str, symbol: str) -> Parser:
    return _any_trade_parser(adapter, wire, symbol, decoders.trade, decoders.ns)


def _agg_trade_parser(adapter: Adapter, decoders: Decoders, wire: str, symbol: str) -> Parser:
    return _any_trade_parser(adapter, wire, symbol, decoders.agg_trade, decoders.ns)


def _any_trade_parser(
    adapter: Adapter, wire: str, symbol: str, decode: Callable[[bytes], CombinedFrame[Any]], ns: int
) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    _declare(adapter, decode, Trade, DeclaredStream(wire, symbol, wire))

    def parse_trade(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).data
        out.append(
            Trade(
                exchange,
                symbol,
                data.time * ns,
                receive_ns,
                data.price,
                data.size,
                "sell" if data.buyer_is_maker else "buy",  # the side of the taker
                str(data.trade_id),
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_trade


def _quote_parser(adapter: Adapter, decoders: Decoders, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    decode = decoders.book_ticker
    _declare(adapter, decode, Quote, DeclaredStream(wire, symbol, wire))

    def parse_quote(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).data
        bid: str | None
        ask: str | None
        bid_size: str | None
        ask_size: str | None
        price, size = bid, bid_size = data.bid, data.bid_size
        # Every spelling of zero is below "1" and shows no digit from 1 to 9 behind its leading zeros and points. What
        # passes here is not zero; these comparisons cost a fraction of the call that they spare.
        if (price < "1" and not "1" <= price.lstrip("0.") < ":") or (size < "1" and not "1" <= size.lstrip("0.") < ":"):
            bid, bid_size = quoted(price, size)
        price, size = ask, ask_size = data.ask, data.ask_size
        if (price < "1" and not "1" <= price.lstrip("0.") < ":") or (size < "1" and not "1" <= size.lstrip("0.") < ":"):
            ask, ask_size = quoted(price, size)
        out.append(Quote(exchange, symbol, 0, receive_ns, bid, bid_size, ask, ask_size, str(data.update_id)))
        last_data_ns[wire] = receive_ns

    return parse_quote


def _depth_parser(adapter: Adapter, decoders: Decoders, book: RestBook, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    held_ns = adapter.held_ns
    notices = adapter.notices
    decode = decoders.depth
    ns = decoders.ns
    _declare(adapter, decode, BookDelta, DeclaredStream(wire, symbol, wire, book.chain))

    def parse_book_delta(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).data
        first = data.first_id
        last = data.last_id
        event = BookDelta(
            exchange,
            symbol,
            data.event_time * ns,
            receive_ns,
            data.bids,
            data.asks,
            str(first),
            str(last),
            None,
        )
        book.delta(event, first, last, None, out, notices)
        if book.live:  # a book that waits for its snapshot has no data yet
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_book_delta


def _partial_book_parser(adapter: Adapter, decoders: Decoders, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    decode = decoders.partial_book
    _declare(adapter, decode, BookSnapshot, DeclaredStream(wire, symbol, wire))

    def parse_partial_book(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).data
        out.append(BookSnapshot(exchange, symbol, 0, receive_ns, data.bids, data.asks, None, str(data.last_id), None))
        last_data_ns[wire] = receive_ns

    return parse_partial_book


def _kline_parser(adapter: Adapter, decoders: Decoders, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    decode = decoders.kline
    ns = decoders.ns

    def parse_bar(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).data
        bar = data.kline
        out.append(
            Bar(
                exchange,
                symbol,
                data.event_time * ns,
                receive_ns,
                bar.interval,
                bar.start * ns,
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
                bar.closed,
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_bar


def _ticker_parser(adapter: Adapter, decoders: Decoders, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    decode = decoders.day_ticker
    ns = decoders.ns

    def parse_ticker(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).data
        out.append(
            Ticker(
                exchange,
                symbol,
                data.event_time * ns,
                receive_ns,
                data.last,
                data.open,
                data.high,
                data.low,
                data.volume,
                data.turnover,
                price_or_none(data.bid),
                data.bid_size,
                price_or_none(data.ask),
                data.ask_size,
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_ticker


def _futures_trade_parser(adapter: Adapter, decoders: Decoders, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    _declare(adapter, decode_futures_trade, Trade, DeclaredStream(wire, symbol, wire))

    def parse_futures_trade(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_futures_trade(frame).data
        last_data_ns[wire] = receive_ns
        if data.kind != "MARKET":  # by the insurance fund, or by auto-deleveraging
            return
        side: Side = "sell" if data.buyer_is_maker else "buy"  # the side of the taker
        out.append(Trade(exchange, symbol, data.time * MS, receive_ns, data.price, data.size, side, str(data.trade_id)))

    return parse_futures_trade


def _futures_quote_parser(adapter: Adapter, decoders: Decoders, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    _declare(adapter, decode_futures_quote, Quote, DeclaredStream(wire, symbol, wire))

    def parse_futures_quote(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_futures_quote(frame).data
        bid, bid_size = quoted(data.bid, data.bid_size)
        ask, ask_size = quoted(data.ask, data.ask_size)
        time_ns = data.event_time * MS
        out.append(Quote(exchange, symbol, time_ns, receive_ns, bid, bid_size, ask, ask_size, str(data.update_id)))
        last_data_ns[wire] = receive_ns

    return parse_futures_quote


def _futures_depth_parser(adapter: Adapter, book: RestBook, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    held_ns = adapter.held_ns
    notices = adapter.notices
    stream = DeclaredStream(wire, symbol, wire, book.chain)
    _declare(adapter, decode_futures_depth, BookDelta, stream, unused=(("data", "U"),))  # books are chained by ``pu``

    def parse_futures_book_delta(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_futures_depth(frame).data
        last = data.last_id
        previous = data.previous_id
        time_ns = data.event_time * MS
        event = BookDelta(exchange, symbol, time_ns, receive_ns, data.bids, data.asks, str(previous), str(last), None)
        book.delta(event, data.first_id, last, previous, out, notices)
        if book.live:  # a book that waits for its snapshot has no data yet
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_futures_book_delta


def _futures_partial_book_parser(adapter: Adapter, decoders: Decoders, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    unused = (("data", "U"), ("data", "pu"))
    _declare(adapter, decode_futures_depth, BookSnapshot, DeclaredStream(wire, symbol, wire), unused)

    def parse_futures_partial_book(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_futures_depth(frame).data
        time_ns, last_id = data.event_time * MS, str(data.last_id)
        out.append(BookSnapshot(exchange, symbol, time_ns, receive_ns, data.bids, data.asks, None, last_id, None))
        last_data_ns[wire] = receive_ns

    return parse_futures_partial_book


def _contract_ticker_parser(adapter: Adapter, decoders: Decoders, wire: str, symbol: str) -> Parser:
    parse_ticker = _ticker_parser(adapter, decoders, wire, symbol)

    def parse_contract_ticker(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        tickers: list[MarketEvent[str]] = []
        parse_ticker(frame, receive_ns, tickers)
        out += [structs.replace(ticker, turnover=None) for ticker in tickers]

    return parse_contract_ticker


def _mark_price_parser(adapter: Adapter, decoders: Decoders, wire: str, symbol: str) -> Parser:
    """The faster stream is subscribed for mark prices, the slower one for funding; replay shows what each carries."""
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    is_fast = wire.endswith("@1s")
    wants_price, wants_funding = is_fast or adapter.adopt, not is_fast or adapter.adopt

    def parse_mark_price(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_mark_price(frame).data
        time_ns = data.event_time * MS
        if wants_price:
            out.append(MarkPrice(exchange, symbol, time_ns, receive_ns, data.mark_price))
        if wants_funding and data.funding_rate:
            out.append(Funding(exchange, symbol, time_ns, receive_ns, data.funding_rate, data.funding_due * MS))
        last_data_ns[wire] = receive_ns

    return parse_mark_price


def _force_order_parser(adapter: Adapter, decoders: Decoders, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns

    def parse_force_order(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        order = decode_force_order(frame).data.order
        price = order.price if is_zero(order.average_price) else order.average_price  # of its fills, if it has any
        side: Side = "sell" if order.side == "SELL" else "buy"
        out.append(Liquidation(exchange, symbol, order.time * MS, receive_ns, side, price, order.size))
        last_data_ns[wire] = receive_ns

    return parse_force_order


def _declare(
    adapter: Adapter,
    decode: Callable[[bytes], Any],
    event: type,
    stream: DeclaredStream,
    unused: tuple[Path, ...] = (),
) -> None:
    """Allow templates of the frames of `stream`: nothing but their content, and its book, decides about the events."""
    adapter.frame_kinds.declare(decode, event, adapter.exchange, stream, key=("stream",), unused=unused)


_FACTORIES: dict[str, Callable[[Adapter, Decoders, str, str], Parser]] = {
    "trade": _trade_parser,
    "aggTrade": _agg_trade_parser,
    "bookTicker": _quote_parser,
    "ticker": _ticker_parser,
}

_FUTURES_FACTORIES: dict[str, Callable[[Adapter, Decoders, str, str], Parser]] = {
    "trade": _futures_trade_parser,
    "aggTrade": _agg_trade_parser,
    "bookTicker": _futures_quote_parser,
    "ticker": _ticker_parser,
    "markPrice": _mark_price_parser,
    "markPrice@1s": _mark_price_parser,
    "forceOrder": _force_order_parser,
}
