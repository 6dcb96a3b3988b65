"""Parsers: each is made for one channel, and appends the events that a frame of it means.

A frame names its channel at the beginning and its symbol within the data. A parser decodes a frame once, with the type
of its channel, and looks the symbol up in its streams; it keeps at hand what it needs for each frame.
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
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.number_text import Number, number_text
from foxtrot_workers.adapter.quote_side import price_or_none, quoted
from foxtrot_workers.adapter.rest_book import RestBook
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.gateio.books import contract_levels
from foxtrot_workers.exchanges.gateio.constants import MS, SECOND
from foxtrot_workers.exchanges.gateio.history import contract_size, time_ns_of
from foxtrot_workers.exchanges.gateio.messages import (
    ContractTrade,
    SpotTrade,
    decode_book_ticker,
    decode_candles,
    decode_contract_tickers,
    decode_contract_trades,
    decode_futures_depth_update,
    decode_liquidations,
    decode_obu,
    decode_partial_book,
    decode_spot_depth_update,
    decode_spot_tickers,
    decode_spot_trades,
)

__all__ = ["FUTURES_FACTORIES", "SPOT_FACTORIES", "Factory", "Stream"]


class Stream:
    """One topic of a channel.

    Args:
        symbol: in events.
        wire: name of the topic.
        channels: channels of the topic that are published: "" for its own, others by their name.
        chained: its book on the stream, for ``obu``.
        rest: its book with snapshots by REST, for ``order_book_update``.
    """

    __slots__ = ("chained", "channels", "rest", "symbol", "wire")

    def __init__(
        self,
        symbol: str,
        wire: str,
        channels: frozenset[str],
        chained: ChainedBook | None = None,
        rest: RestBook | None = None,
    ) -> None:
        self.symbol = symbol
        self.wire = wire
        self.channels = channels
        self.chained = chained
        self.rest = rest


Factory: TypeAlias = Callable[[Adapter, dict[str, Stream], Callable[[str], Stream]], Parser]
"""``(adapter, streams, find)``: makes the parser of a channel. `streams`: by the name that frames have for them.
`find`: called for a name that is not among them; returns a new stream or raises `UnrecognizedFrame`."""


def _id_of(row: SpotTrade | ContractTrade) -> int:
    """Return what trades of one frame are sorted by: the rule that recognizes copies needs them in order."""
    return row.id


def _spot_trades_parser(adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream]) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        result = decode_spot_trades(frame).result
        if type(result) is SpotTrade:
            stream = streams.get(result.pair) or find(result.pair)
            time_ns = time_ns_of(result.time)
            price, size, side = result.price, result.size, result.side
            out.append(Trade(exchange, stream.symbol, time_ns, receive_ns, price, size, side, str(result.id)))
            last_data_ns[stream.wire] = receive_ns
            return
        trades: list[MarketEvent[str]] = []
        wires = []
        for row in sorted(result, key=_id_of) if isinstance(result, list) else (result,):
            stream = streams.get(row.pair) or find(row.pair)
            time_ns = time_ns_of(row.time)
            trades.append(
                Trade(exchange, stream.symbol, time_ns, receive_ns, row.price, row.size, row.side, str(row.id))
            )
            wires.append(stream.wire)
        out += trades
        for wire in wires:
            last_data_ns[wire] = receive_ns

    return parse_trades


def _contract_trades_parser(adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream]) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        trades: list[MarketEvent[str]] = []
        wires = []
        result = decode_contract_trades(frame).result
        for row in sorted(result, key=_id_of) if len(result) > 1 else result:
            stream = streams.get(row.contract) or find(row.contract)
            size, side = contract_size(row.size)
            time_ns = time_ns_of(row.time, row.time_s)
            trades.append(Trade(exchange, stream.symbol, time_ns, receive_ns, row.price, size, side, str(row.id)))
            wires.append(stream.wire)
        out += trades
        for wire in wires:
            last_data_ns[wire] = receive_ns

    return parse_trades


def _quotes_parser(adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream]) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_quote(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_book_ticker(frame).result
        stream = streams.get(data.symbol) or find(data.symbol)
        bid, bid_size = _side(data.bid, data.bid_size)
        ask, ask_size = _side(data.ask, data.ask_size)
        out.append(
            Quote(
                exchange,
                stream.symbol,
                data.time * MS,
                receive_ns,
                bid,
                bid_size,
                ask,
                ask_size,
                str(data.update_id),
            )
        )
        last_data_ns[stream.wire] = receive_ns

    return parse_quote


def _spot_tickers_parser(adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream]) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_ticker(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_spot_tickers(frame)
        data = push.result
        stream = streams.get(data.pair) or find(data.pair)
        out.append(
            Ticker(
                exchange,
                stream.symbol,
                push.time_ns,
                receive_ns,
                data.last or None,
                None,
                data.high or None,
                data.low or None,
                data.volume or None,
                data.turnover or None,
                price_or_none(data.bid),
                None,
                price_or_none(data.ask),
                None,
            )
        )
        last_data_ns[stream.wire] = receive_ns

    return parse_ticker


def _contract_tickers_parser(adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream]) -> Parser:
    """A ticker carries funding rate, mark price and open interest too; those that are subscribed are published."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_tickers(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_contract_tickers(frame)
        time_ns = push.time_ns
        events: list[MarketEvent[str]] = []
        wires: list[str] = []
        for row in push.result:
            stream = streams.get(row.contract) or find(row.contract)
            symbol, wire, channels = stream.symbol, stream.wire, stream.channels
            if "" in channels:
                events.append(
                    Ticker(
                        exchange,
                        symbol,
                        time_ns,
                        receive_ns,
                        _number(row.last),
                        None,
                        _number(row.high),
                        _number(row.low),
                        _number(row.volume),
                        _number(row.turnover),
                        price_or_none(_number(row.bid)),
                        _number(row.bid_size),
                        price_or_none(_number(row.ask)),
                        _number(row.ask_size),
                    )
                )
                wires.append(wire)
            rate, price, size = _number(row.funding_rate), _number(row.mark_price), _number(row.total_size)
            if rate is not None and "funding" in channels:
                events.append(Funding(exchange, symbol, time_ns, receive_ns, rate, 0))
                wires.append(shared_wire(wire, "funding"))
            if price is not None and "mark_price" in channels:
                events.append(MarkPrice(exchange, symbol, time_ns, receive_ns, price))
                wires.append(shared_wire(wire, "mark_price"))
            if size is not None and "open_interest" in channels:
                events.append(OpenInterest(exchange, symbol, time_ns, receive_ns, size))
                wires.append(shared_wire(wire, "open_interest"))
        out += events
        for wire in wires:
            last_data_ns[wire] = receive_ns

    return parse_tickers


def _liquidations_parser(adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream]) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_liquidations(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        result = decode_liquidations(frame).result
        events: list[MarketEvent[str]] = []
        wires = []
        for row in result if isinstance(result, list) else (result,):
            stream = streams.get(row.contract) or find(row.contract)
            size, side = contract_size(row.size)
            price = number_text(row.price)
            events.append(Liquidation(exchange, stream.symbol, row.time_ms * MS, receive_ns, side, price, size))
            wires.append(stream.wire)
        out += events
        for wire in wires:
            last_data_ns[wire] = receive_ns

    return parse_liquidations


def _spot_updates_parser(adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream]) -> Parser:
    return _updates_parser(adapter, streams, find, decode_spot_depth_update, None)


def _futures_updates_parser(adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream]) -> Parser:
    return _updates_parser(adapter, streams, find, decode_futures_depth_update, contract_levels)


def _updates_parser(
    adapter: Adapter,
    streams: dict[str, Stream],
    find: Callable[[str], Stream],
    decode: Callable[[bytes], Any],
    levels_of: Callable[[Any], list[tuple[str, str]]] | None,
) -> Parser:
    """`levels_of`: returns levels as text; None where they are text already."""
    exchange, last_data_ns, held_ns, notices = adapter.exchange, adapter.last_data_ns, adapter.held_ns, adapter.notices

    def parse_update(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).result
        stream = streams.get(data.symbol) or find(data.symbol)
        book, symbol, wire = stream.rest, stream.symbol, stream.wire
        if book is None:
            raise msgspec.ValidationError("no book of updates")
        bids, asks, first, last = data.bids, data.asks, data.first, data.last
        if levels_of is not None:
            bids, asks = levels_of(bids), levels_of(asks)
        time_ns = data.time * MS
        if data.full:
            snapshot = BookSnapshot(exchange, symbol, time_ns, receive_ns, bids, asks, None, str(last), None)
            book.snapshot(snapshot, last, out, notices)
        else:
            event = BookDelta(exchange, symbol, time_ns, receive_ns, bids, asks, str(first), str(last), None)
            book.delta(event, first, last, None, out, notices)
        if book.live:  # a book that waits for its snapshot has no data yet
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_update


def _obu_parser(adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream]) -> Parser:
    exchange, last_data_ns, held_ns, notices = adapter.exchange, adapter.last_data_ns, adapter.held_ns, adapter.notices

    def parse_obu(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_obu(frame).result
        stream = streams.get(data.stream) or find(data.stream)
        book, symbol, wire = stream.chained, stream.symbol, stream.wire
        if book is None:
            raise msgspec.ValidationError("no book on the stream")
        first, last, time_ns = data.first, data.last, data.time * MS
        if data.full:
            snapshot = BookSnapshot(exchange, symbol, time_ns, receive_ns, data.bids, data.asks, None, str(last), None)
            book.snapshot(snapshot, last, out, notices)
        elif first is None:
            raise msgspec.ValidationError("Object missing required field `U` - at `$.result`")
        else:
            delta = BookDelta(exchange, symbol, time_ns, receive_ns, data.bids, data.asks, str(first), str(last), None)
            book.update(delta, first - 1, last, out, notices)
        if book.live:
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_obu


def _partial_books_parser(adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream]) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_partial_book(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode_partial_book(frame).result
        stream = streams.get(data.symbol) or find(data.symbol)
        last_id = str(data.last_id)
        out.append(
            BookSnapshot(exchange, stream.symbol, data.time * MS, receive_ns, data.bids, data.asks, None, last_id, None)
        )
        last_data_ns[stream.wire] = receive_ns

    return parse_partial_book


def _spot_candles_parser(adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream]) -> Parser:
    return _any_candles_parser(adapter, streams, find, contracts=False)


def _contract_candles_parser(adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream]) -> Parser:
    return _any_candles_parser(adapter, streams, find, contracts=True)


def _any_candles_parser(
    adapter: Adapter, streams: dict[str, Stream], find: Callable[[str], Stream], *, contracts: bool
) -> Parser:
    """`contracts`: volumes are contracts; else base units where they are sent."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_bars(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_candles(frame)
        result, time_ns = push.result, push.time_ns
        bars: list[MarketEvent[str]] = []
        wires = []
        for row in result if isinstance(result, list) else (result,):
            stream = streams.get(row.name) or find(row.name)
            volume = number_text(row.volume if contracts or row.amount is None else row.amount)
            bars.append(
                Bar(
                    exchange,
                    stream.symbol,
                    time_ns,
                    receive_ns,
                    row.name.partition("_")[0],
                    row.start * SECOND,
                    row.open,
                    row.high,
                    row.low,
                    row.close,
                    volume,
                    row.closed,
                )
            )
            wires.append(stream.wire)
        out += bars
        for wire in wires:
            last_data_ns[wire] = receive_ns

    return parse_bars


def _side(price: str | None, size: Number) -> tuple[str | None, str | None]:
    """Return one side of a quote as text; both None where it is empty."""
    # the usual cases: what begins with a digit from 1 to 9 behind its leading zeros and point is not zero
    if price and "1" <= price.lstrip("0.") < ":":
        if type(size) is str and "1" <= size.lstrip("0.") < ":":
            return price, size
        if type(size) is int and 0 < size < _CONTRACTS_MOST:
            return price, str(size)
    return quoted(price, _number(size))


_CONTRACTS_MOST = 10**18


def _number(value: Number) -> str | None:
    """Return the text of a number; None where it is missing or empty. Raises `msgspec.ValidationError`."""
    return None if value is None or value == "" else number_text(value)


SPOT_FACTORIES: dict[str, Factory] = {
    "trades": _spot_trades_parser,
    "book_ticker": _quotes_parser,
    "tickers": _spot_tickers_parser,
    "order_book_update": _spot_updates_parser,
    "obu": _obu_parser,
    "order_book": _partial_books_parser,
    "candlesticks": _spot_candles_parser,
}
"""By the exchange's channel, without ``spot.``."""

FUTURES_FACTORIES: dict[str, Factory] = {
    "trades": _contract_trades_parser,
    "book_ticker": _quotes_parser,
    "tickers": _contract_tickers_parser,
    "public_liquidates": _liquidations_parser,
    "order_book_update": _futures_updates_parser,
    "obu": _obu_parser,
    "candlesticks": _contract_candles_parser,
}
