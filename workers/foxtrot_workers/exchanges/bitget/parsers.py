"""Parsers: each is made for one topic in one version of the protocol, and appends the events that a frame of it means.

A parser decodes a frame once, with the type of its topic, and keeps at hand what it needs for each: the hot path looks
up no attribute of the adapter. The version is told by the argument of the frame: v3 names a ``topic``, v1 and v2 a
``channel``, and v1 writes ``instType`` in lower case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec

from foxtrot_protocol.events import (
    Bar,
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
from foxtrot_workers.adapter.quote_side import EMPTY_SIDE, price_or_none, quoted
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.bitget.books import (
    book_checksum,
    delta_of,
    snapshot_of,
    unified_delta_of,
    unified_snapshot_of,
)
from foxtrot_workers.exchanges.bitget.constants import MS
from foxtrot_workers.exchanges.bitget.instruments import contract_symbol
from foxtrot_workers.exchanges.bitget.messages import (
    BookRow,
    TickerRow,
    UnifiedBookRow,
    UnifiedTickerRow,
    decode_books,
    decode_candles,
    decode_liquidations,
    decode_tickers,
    decode_trade_arrays,
    decode_trades,
    decode_unified_books,
    decode_unified_candles,
    decode_unified_tickers,
    decode_unified_trades,
)

__all__ = ["LIQUIDATION", "Version", "make_parser"]

Version: TypeAlias = Literal[1, 2, 3]

LIQUIDATION = "liquidation"
"""Channel whose topic is of all symbols: the symbols that are subscribed are its channels."""


def make_parser(adapter: Adapter, topic: str, version: Version, channels: frozenset[str]) -> Parser | None:
    """Return the parser of a topic, ``SPOT:books:BTCUSDT``; None if its channel is unknown.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parser fills in.
        topic: to parse.
        version: of the protocol.
        channels: channels of the topic that are published: "" for its own, others by their name.
    """
    kind, channel, symbol = topic.split(":")
    if version == 1 and kind == "MC":
        symbol = contract_symbol(symbol)  # spot has the same names
    if channel == "trade":
        return _trades_parser(adapter, topic, symbol, version)
    if channel == "books":
        if version == 3:
            return _unified_books_parser(adapter, topic, symbol)
        return _books_parser(adapter, topic, symbol)
    if channel == "books1":
        return _quotes_parser(adapter, topic, symbol, version)
    if channel in ("books5", "books15", "books50"):
        return _partial_books_parser(adapter, topic, symbol, version)
    if channel == "ticker":
        return _tickers_parser(adapter, topic, symbol, version, channels)
    if channel.startswith("candle"):
        return _candles_parser(adapter, topic, symbol, version, channel.removeprefix("candle"))
    if channel == LIQUIDATION and version == 3:
        return _liquidations_parser(adapter, topic, channels)
    return None


def _trades_parser(adapter: Adapter, wire: str, symbol: str, version: Version) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    if version == 1:
        return _old_trades_parser(adapter, wire, symbol)
    decode: Callable[[bytes], Any] = decode_unified_trades if version == 3 else decode_trades

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode(frame)
        last_data_ns[wire] = receive_ns
        if push.action == "snapshot":
            return  # trades from before the subscription
        rows = push.data
        if len(rows) == 1:
            row = rows[0]
            trade_id = str(row.trade_id)
            out.append(Trade(exchange, symbol, row.time * MS, receive_ns, row.price, row.size, row.side, trade_id))
            return
        out.extend(
            [
                Trade(exchange, symbol, row.time * MS, receive_ns, row.price, row.size, row.side, str(row.trade_id))
                for row in sorted(rows, key=_id_of)  # the newest come first
            ]
        )

    return parse_trades


def _id_of(row: Any) -> int:
    trade_id: int = row.trade_id
    return trade_id


def _old_trades_parser(adapter: Adapter, wire: str, symbol: str) -> Parser:
    """Trades of v1 have no identifiers."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_trade_arrays(frame)
        last_data_ns[wire] = receive_ns
        if push.action == "snapshot":
            return  # trades from before the subscription
        out.extend(
            [
                Trade(exchange, symbol, row.time * MS, receive_ns, row.price, row.size, row.side, "")
                for row in reversed(push.data)  # the newest come first
            ]
        )

    return parse_trades


def _quotes_parser(adapter: Adapter, wire: str, symbol: str, version: Version) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    decode = _book_decoder(version)

    def parse_quotes(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        for row in decode(frame).data:
            bid, bid_size = _side(row.bids)
            ask, ask_size = _side(row.asks)
            update_id = "" if row.seq is None else str(row.seq)
            out.append(Quote(exchange, symbol, row.time * MS, receive_ns, bid, bid_size, ask, ask_size, update_id))
        last_data_ns[wire] = receive_ns

    return parse_quotes


def _side(levels: list[tuple[str, str]]) -> tuple[str | None, str | None]:
    """Return price and size of the best level; both None where the side is empty."""
    if not levels:
        return EMPTY_SIDE
    price, size = level = levels[0]
    # the usual case: what begins with a digit from 1 to 9 behind its leading zeros and point is not zero
    if "1" <= price.lstrip("0.") < ":" and "1" <= size.lstrip("0.") < ":":
        return level
    return quoted(price, size)


def _book_decoder(version: Version) -> Callable[[bytes], Any]:
    return decode_unified_books if version == 3 else decode_books


def _partial_books_parser(adapter: Adapter, wire: str, symbol: str, version: Version) -> Parser:
    """Every message is a full top-N book: no continuity is needed."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    decode = _book_decoder(version)
    snapshot: Callable[[str, str, int, Any], Any] = unified_snapshot_of if version == 3 else snapshot_of

    def parse_partial_books(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend([snapshot(exchange, symbol, receive_ns, row) for row in decode(frame).data])
        last_data_ns[wire] = receive_ns

    return parse_partial_books


def _books_parser(adapter: Adapter, wire: str, symbol: str) -> Parser:
    """v1 and v2: a checksum, where one is sent, tells that the book is right."""
    exchange, last_data_ns, held_ns, notices = adapter.exchange, adapter.last_data_ns, adapter.held_ns, adapter.notices
    book = ChainedBook(exchange, symbol, wire, book_checksum)
    previous: int | None = None

    def parse_books(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        nonlocal previous
        push = decode_books(frame)
        row: BookRow
        for row in push.data:
            if push.action == "snapshot":
                book.snapshot(snapshot_of(exchange, symbol, receive_ns, row), None, out, notices)
            else:
                delta = delta_of(exchange, symbol, receive_ns, row, previous)
                book.update(delta, None, None, out, notices)
            previous = row.seq
        _note_data(book, wire, receive_ns, last_data_ns, held_ns)

    return parse_books


def _unified_books_parser(adapter: Adapter, wire: str, symbol: str) -> Parser:
    """v3: each update names its predecessor."""
    exchange, last_data_ns, held_ns, notices = adapter.exchange, adapter.last_data_ns, adapter.held_ns, adapter.notices
    book = ChainedBook(exchange, symbol, wire)

    def parse_books(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_unified_books(frame)
        row: UnifiedBookRow
        for row in push.data:
            if push.action == "snapshot":
                book.snapshot(unified_snapshot_of(exchange, symbol, receive_ns, row), row.seq, out, notices)
                continue
            delta = unified_delta_of(exchange, symbol, receive_ns, row)
            if row.seq == row.previous and not row.bids and not row.asks:
                book.quiet(delta, row.previous, out, notices)
            else:
                book.update(delta, row.previous, row.seq, out, notices)
        _note_data(book, wire, receive_ns, last_data_ns, held_ns)

    return parse_books


def _note_data(
    book: ChainedBook, wire: str, receive_ns: int, last_data_ns: dict[str, int], held_ns: dict[str, int]
) -> None:
    if book.live:  # a book that waits for its snapshot has no data yet
        last_data_ns[wire] = receive_ns
    else:
        held_ns[wire] = receive_ns


def _tickers_parser(adapter: Adapter, wire: str, symbol: str, version: Version, channels: frozenset[str]) -> Parser:
    """A ticker of futures carries funding rate, mark price and open interest too."""
    if version == 3:
        return _unified_tickers_parser(adapter, wire, symbol, channels)
    last_data_ns = adapter.last_data_ns
    publish = _ticker_publisher(adapter, wire, symbol, channels)

    def parse_tickers(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_tickers(frame)
        wires: list[str] = []
        row: TickerRow
        for row in push.data:
            if version == 1 and row.bid is None and row.ask is None:
                last_data_ns[wire] = receive_ns
                continue  # v1 leaves both best prices out at times: the ticker of an instrument that rests
            time_ns = (row.time or row.system_time or push.time) * MS
            figures = (
                row.last_v2 or row.last or None,
                row.open or None,
                row.high or None,
                row.low or None,
                row.volume or None,
                row.turnover or None,
                price_or_none(row.bid_v2 or row.bid),
                row.bid_size or None,
                price_or_none(row.ask_v2 or row.ask),
                row.ask_size or None,
            )
            rate, due = row.funding_rate or row.funding_rate_v1, row.funding_due or row.funding_due_v1
            wires += publish(
                figures, rate, due or 0, row.mark_price, row.holding or row.holding_v1, time_ns, receive_ns, out
            )
        for each in wires:
            last_data_ns[each] = receive_ns

    return parse_tickers


def _unified_tickers_parser(adapter: Adapter, wire: str, symbol: str, channels: frozenset[str]) -> Parser:
    last_data_ns = adapter.last_data_ns
    publish = _ticker_publisher(adapter, wire, symbol, channels)
    known: dict[str, str | int] = {}

    def parse_tickers(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_unified_tickers(frame)
        if push.action == "snapshot":
            known.clear()
        wires: list[str] = []
        row: UnifiedTickerRow
        for row in push.data:
            # an update leaves out what has not changed
            known.update({name: value for name, value in msgspec.structs.asdict(row).items() if value})
            get: Callable[[str], Any] = known.get
            figures = (
                get("last"),
                get("open"),
                get("high"),
                get("low"),
                get("volume"),
                get("turnover"),
                price_or_none(get("bid")),
                get("bid_size"),
                price_or_none(get("ask")),
                get("ask_size"),
            )
            wires += publish(
                figures,
                get("funding_rate"),
                get("funding_due") or 0,
                get("mark_price"),
                get("open_interest"),
                push.time * MS,
                receive_ns,
                out,
            )
        for each in wires:
            last_data_ns[each] = receive_ns

    return parse_tickers


_Figures: TypeAlias = tuple[
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
]
"""Of a `Ticker`: last, open, high, low, volume, turnover, bid, bid size, ask, ask size."""

_Publish: TypeAlias = Callable[
    [_Figures, str | None, int, str | None, str | None, int, int, list[MarketEvent[str]]], list[str]
]


def _ticker_publisher(adapter: Adapter, wire: str, symbol: str, channels: frozenset[str]) -> _Publish:
    """Return a function that appends the events of one ticker, and returns the wire names that have had data."""
    exchange = adapter.exchange
    shown, rates, marks, interest = ("" in channels, *(each in channels for each in _TICKER_CHANNELS))

    def publish(
        figures: _Figures,
        rate: str | None,
        due: int,
        mark_price: str | None,
        holding: str | None,
        time_ns: int,
        receive_ns: int,
        out: list[MarketEvent[str]],
    ) -> list[str]:
        wires = []
        if shown:
            out.append(Ticker(exchange, symbol, time_ns, receive_ns, *figures))
            wires.append(wire)
        if rate and rates:
            out.append(Funding(exchange, symbol, time_ns, receive_ns, rate, due * MS))
            wires.append(shared_wire(wire, "funding"))
        if mark_price and marks:
            out.append(MarkPrice(exchange, symbol, time_ns, receive_ns, mark_price))
            wires.append(shared_wire(wire, "mark_price"))
        if holding and interest:
            out.append(OpenInterest(exchange, symbol, time_ns, receive_ns, holding))
            wires.append(shared_wire(wire, "open_interest"))
        return wires

    return publish


_TICKER_CHANNELS = ("funding", "mark_price", "open_interest")


def _candles_parser(adapter: Adapter, wire: str, symbol: str, version: Version, interval: str) -> Parser:
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    decode: Callable[[bytes], Any] = decode_unified_candles if version == 3 else decode_candles

    def parse_bars(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode(frame)
        time_ns = push.time * MS
        last_data_ns[wire] = receive_ns
        if push.action == "snapshot":
            return  # hundreds of bars from before the subscription
        for row in push.data:  # no frame says that a bar is closed
            start_ns = row.start * MS
            out.append(
                Bar(
                    exchange,
                    symbol,
                    time_ns,
                    receive_ns,
                    interval,
                    start_ns,
                    row.open,
                    row.high,
                    row.low,
                    row.close,
                    row.volume,
                    False,
                )
            )

    return parse_bars


def _liquidations_parser(adapter: Adapter, wire: str, symbols: frozenset[str]) -> Parser:
    """`symbols`: those that are published; ``""``: all of them."""
    exchange, last_data_ns = adapter.exchange, adapter.last_data_ns
    everything = "" in symbols

    def parse_liquidations(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        for row in decode_liquidations(frame).data:
            if everything or row.symbol in symbols:
                side: Literal["buy", "sell"] = "sell" if row.side == "buy" else "buy"  # that of the position is sent
                out.append(Liquidation(exchange, row.symbol, row.time * MS, receive_ns, side, row.price, row.amount))
                last_data_ns[shared_wire(wire, row.symbol)] = receive_ns

    return parse_liquidations
