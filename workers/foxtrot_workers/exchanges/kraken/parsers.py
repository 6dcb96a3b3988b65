"""Parsers: each serves one channel of a connection, and appends the events that a frame of it means.

A frame names its channel in its first bytes, and the symbol in each of its rows. A parser decodes a frame once, and all
of it before it changes anything: a frame that is refused has no effect.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import structs

from foxtrot_protocol.events import Bar, BookDelta, MarketEvent, Quote, Ticker, Trade
from foxtrot_workers.adapter import Adapter, UnrecognizedFrame
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.iso_time import iso_ns
from foxtrot_workers.adapter.number_text import number_text, optional_number_text
from foxtrot_workers.adapter.quote_side import price_or_none, quoted_numbers
from foxtrot_workers.exchanges.kraken.books import book_checksum, delta_of, probable_depth, snapshot_of
from foxtrot_workers.exchanges.kraken.constants import BOOK_DEPTHS, INTERVALS
from foxtrot_workers.exchanges.kraken.messages import (
    CandleRow,
    QuoteRow,
    TickerRow,
    TradeRow,
    decode_books,
    decode_candles,
    decode_quotes,
    decode_tickers,
    decode_trades,
)

__all__ = ["Bars", "Books", "ChannelParser", "Tickers", "Trades"]

S = TypeVar("S")

_INTERVAL_NAMES = {minutes: name for name, minutes in INTERVALS.items()}


class ChannelParser(abc.ABC, Generic[S]):
    """The topics of one channel, and the parser of their frames.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parser fills in.
        adopt: called with a symbol and the parameter of a subscription (0 where frames name none) that was not
            subscribed; it opens the topic, or raises `UnrecognizedFrame`.
    """

    def __init__(self, adapter: Adapter, adopt: Callable[[str, int], None]) -> None:
        self._exchange = adapter.exchange
        self._last_data_ns = adapter.last_data_ns
        self._held_ns = adapter.held_ns
        self._notices = adapter.notices
        self._adopt = adopt
        self._streams: dict[tuple[str, int], S] = {}

    @abc.abstractmethod
    def open(self, symbol: str, value: str, wire: str) -> None:
        """Accept rows of a topic; `value` is the parameter of its subscription, "" where it has none."""

    def close(self, symbol: str, value: str) -> None:
        """Refuse rows of a topic from now on."""
        self._streams.pop((symbol, self._key(value)), None)

    def _key(self, value: str) -> int:
        """Return what rows say of the parameter `value`: 0 for nothing."""
        return 0

    def _stream(self, symbol: str, value: int = 0) -> S:
        stream = self._streams.get((symbol, value))
        if stream is None:
            self._adopt(symbol, value)
            stream = self._streams[symbol, value]
        return stream

    @abc.abstractmethod
    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append the events of a frame to `out`. Raises `msgspec.DecodeError` or `UnrecognizedFrame`."""


class Trades(ChannelParser[str]):
    """``trade``; a stream is its wire name."""

    def open(self, symbol: str, value: str, wire: str) -> None:
        self._streams[symbol, 0] = wire

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        rows = decode_trades(frame).data
        if len(rows) == 1:  # nearly all frames
            (row,) = rows
            wire = self._stream(row.symbol)
            out.append(self._trade(row, receive_ns))
            self._last_data_ns[wire] = receive_ns
            return
        wires = [self._stream(row.symbol) for row in rows]
        out.extend([self._trade(row, receive_ns) for row in rows])
        for wire in wires:
            self._last_data_ns[wire] = receive_ns

    def _trade(self, row: TradeRow, receive_ns: int) -> Trade[str]:
        price, size = row.price, row.size
        return Trade(
            self._exchange,
            row.symbol,
            iso_ns(row.time),
            receive_ns,
            price if type(price) is str and price else number_text(price),
            size if type(size) is str and size else number_text(size),
            row.side,
            str(row.trade_id),
        )


class _Book:
    __slots__ = ("book", "is_depth_known", "wire")

    def __init__(self, book: ChainedBook, wire: str, *, is_depth_known: bool) -> None:
        self.book = book
        self.wire = wire
        self.is_depth_known = is_depth_known


class Books(ChannelParser[_Book]):
    """``book``: rows do not name the depth, so a symbol has one book on a connection.

    The depth of a book adopted in replay is told by its snapshot, unless the recording has the subscription.
    """

    def open(self, symbol: str, value: str, wire: str) -> None:
        depth = int(value) if value else max(BOOK_DEPTHS.values())
        self._streams[symbol, 0] = _Book(self._book(symbol, wire, depth), wire, is_depth_known=bool(value))

    def _book(self, symbol: str, wire: str, depth: int) -> ChainedBook:
        return ChainedBook(self._exchange, symbol, wire, book_checksum, depth=depth)

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = decode_books(frame)
        exchange = self._exchange
        streams = [self._stream(row.symbol) for row in push.data]
        make = snapshot_of if push.type == "snapshot" else delta_of
        events = [make(exchange, receive_ns, row) for row in push.data]
        for stream, event, row in zip(streams, events, push.data, strict=True):
            if not stream.is_depth_known and push.type == "snapshot":
                stream.book = self._book(row.symbol, stream.wire, probable_depth(row))
            book = stream.book
            if isinstance(event, BookDelta):
                book.update(event, None, None, out, self._notices)
            else:
                book.snapshot(event, None, out, self._notices)
            if book.live:  # a book that waits for its snapshot has no data yet
                self._last_data_ns[stream.wire] = receive_ns
            else:
                self._held_ns[stream.wire] = receive_ns


class Tickers(ChannelParser[str]):
    """``ticker``: the event that triggers it decides whether a row is published as a quote or as a ticker."""

    def __init__(self, adapter: Adapter, adopt: Callable[[str, int], None]) -> None:
        super().__init__(adapter, adopt)
        self._adopting = adapter.adopt
        self._only_quotes = False
        """Figures of 24 hours are then not decoded."""

    def open(self, symbol: str, value: str, wire: str) -> None:
        self._streams[symbol, 0] = wire
        self._look_for_tickers()

    def close(self, symbol: str, value: str) -> None:
        super().close(symbol, value)
        self._look_for_tickers()

    def _look_for_tickers(self) -> None:
        self._only_quotes = not self._adopting and all(map(_is_quote, self._streams.values()))

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if self._only_quotes:
            quotes = decode_quotes(frame).data
            wires = [self._stream(row.symbol) for row in quotes]
            out.extend([self._quote(row, receive_ns) for row in quotes])
        else:
            tickers = decode_tickers(frame).data
            wires = [self._stream(row.symbol) for row in tickers]
            out.extend(
                [
                    self._quote(row, receive_ns) if _is_quote(wire) else self._ticker(row, receive_ns)
                    for wire, row in zip(wires, tickers, strict=True)
                ]
            )
        for wire in wires:
            self._last_data_ns[wire] = receive_ns

    def _quote(self, row: QuoteRow, receive_ns: int) -> Quote[str]:
        bid, bid_size = quoted_numbers(row.bid, row.bid_size)
        ask, ask_size = quoted_numbers(row.ask, row.ask_size)
        time_ns = 0 if row.time is None else iso_ns(row.time)
        return Quote(self._exchange, row.symbol, time_ns, receive_ns, bid, bid_size, ask, ask_size, "")

    def _ticker(self, row: TickerRow, receive_ns: int) -> Ticker[str]:
        return Ticker(
            self._exchange,
            row.symbol,
            0 if row.time is None else iso_ns(row.time),
            receive_ns,
            optional_number_text(row.last),
            None,
            optional_number_text(row.high),
            optional_number_text(row.low),
            optional_number_text(row.volume),
            None,
            price_or_none(optional_number_text(row.bid)),
            optional_number_text(row.bid_size),
            price_or_none(optional_number_text(row.ask)),
            optional_number_text(row.ask_size),
        )


def _is_quote(wire: str) -> bool:
    return wire.startswith("ticker-bbo")


class _BarStream:
    __slots__ = ("latest", "wire")

    def __init__(self, wire: str) -> None:
        self.wire = wire
        self.latest: Bar[str] | None = None


class Bars(ChannelParser[_BarStream]):
    """``ohlc``: only the running bar is sent, so a bar is known to be closed when the next one begins."""

    def open(self, symbol: str, value: str, wire: str) -> None:
        self._streams[symbol, int(value)] = _BarStream(wire)

    def _key(self, value: str) -> int:
        return int(value)

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        rows = decode_candles(frame).data
        for row in rows:
            if row.interval not in _INTERVAL_NAMES:
                raise UnrecognizedFrame(f"bars of {row.interval} minutes")
        streams = [self._stream(row.symbol, row.interval) for row in rows]
        bars = [self._bar(row, receive_ns) for row in rows]
        for stream, bar in zip(streams, bars, strict=True):
            latest = stream.latest
            if latest is not None and bar.start_ns < latest.start_ns:
                continue  # a bar that has closed does not run again
            if latest is not None and bar.start_ns > latest.start_ns:
                out.append(structs.replace(latest, receive_ns=receive_ns, closed=True))
            out.append(bar)
            stream.latest = bar
            self._last_data_ns[stream.wire] = receive_ns

    def _bar(self, row: CandleRow, receive_ns: int) -> Bar[str]:
        return Bar(
            self._exchange,
            row.symbol,
            0,
            receive_ns,
            _INTERVAL_NAMES[row.interval],
            iso_ns(row.begin),
            number_text(row.open),
            number_text(row.high),
            number_text(row.low),
            number_text(row.close),
            number_text(row.volume),
            False,
        )
