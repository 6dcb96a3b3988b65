"""Frames of WebSocket v1, as recordings have them. Source: "Spot WebSockets v1" (ticker, ohlc, trade, spread, book).

Data frames are arrays ``[number, data…, channel, pair]``, which tells them from those of v2; other frames are objects
with ``event``. Prices are text, times are seconds with decimals as text. A pair is named as v1 names it (``XBT/USD``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from foxtrot_protocol.events import Bar, BookDelta, BookSnapshot, MarketEvent, Quote, Ticker, Trade
from foxtrot_workers.adapter import Adapter, UnrecognizedFrame
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.quote_side import price_or_none, quoted
from foxtrot_workers.exchanges.kraken.books import book_checksum
from foxtrot_workers.exchanges.kraken.constants import ADOPTED_MAX, INTERVALS
from foxtrot_workers.exchanges.kraken.instruments import is_possible_symbol
from foxtrot_workers.exchanges.kraken.messages import seconds_ns

__all__ = ["RecordedFrames"]


class _Level(Struct, array_like=True, gc=False):
    """A level; an "r" may follow, for a level that has come back into the depth."""

    price: str
    size: str
    time: str


class _Book(Struct, gc=False):
    """Levels of a snapshot (``as``, ``bs``) or of an update (``a``, ``b``), and the checksum of an update."""

    snapshot_asks: list[_Level] | None = field(name="as", default=None)
    snapshot_bids: list[_Level] | None = field(name="bs", default=None)
    asks: list[_Level] = field(name="a", default_factory=list)
    bids: list[_Level] = field(name="b", default_factory=list)
    checksum: str | None = field(name="c", default=None)


class _TradeRow(Struct, array_like=True, gc=False):
    price: str
    size: str
    time: str
    side: Literal["b", "s"]


class _Spread(Struct, array_like=True, gc=False):
    bid: str
    ask: str
    time: str
    bid_size: str | None = None
    ask_size: str | None = None


class _Candle(Struct, array_like=True, gc=False):
    time: str
    end: str
    open: str
    high: str
    low: str
    close: str
    average: str
    volume: str


_Today = tuple[str, str]
"""A figure of today, and of the last 24 hours."""


class _Ticker(Struct, gc=False):
    ask: tuple[str, int | str, str] = field(name="a")
    bid: tuple[str, int | str, str] = field(name="b")
    close: tuple[str, str] = field(name="c")
    volume: _Today = field(name="v")
    low: _Today = field(name="l")
    high: _Today = field(name="h")
    open: _Today = field(name="o")


_Checksum = Annotated[int, Meta(ge=0, lt=2**32)]

_decode_array = msgspec.json.Decoder(list[Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_book = msgspec.json.Decoder(_Book).decode
_decode_trades = msgspec.json.Decoder(list[_TradeRow]).decode
_decode_spread = msgspec.json.Decoder(_Spread).decode
_decode_candle = msgspec.json.Decoder(_Candle).decode
_decode_ticker = msgspec.json.Decoder(_Ticker).decode

_PARTS_MIN = 4
"""Elements of a data frame; a book frame with changes of both sides has one more."""
_PARTS_MAX = 5

_INTERVAL_NAMES = {str(minutes): name for name, minutes in INTERVALS.items()}

_SIDES: dict[str, Literal["buy", "sell"]] = {"b": "buy", "s": "sell"}


class RecordedFrames:
    """Reads the array frames of one recorded connection; `adapter` gets the notices of its books."""

    def __init__(self, adapter: Adapter) -> None:
        self._exchange = adapter.exchange
        self._notices = adapter.notices
        self._books: dict[str, ChainedBook] = {}

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append the events of an array frame to `out`. Raises `msgspec.DecodeError` or `UnrecognizedFrame`."""
        parts = _decode_array(frame)
        if not _PARTS_MIN <= len(parts) <= _PARTS_MAX:
            raise UnrecognizedFrame(f"array of {len(parts)} elements")
        channel, pair = _decode_text(parts[-2]), _decode_text(parts[-1])
        name, _, value = channel.partition("-")
        parse = _PARSERS.get(name)
        if parse is None or not is_possible_symbol(pair):
            raise UnrecognizedFrame(channel)
        out.extend(parse(self, parts[1:-2], pair, value, receive_ns))

    def parse_trades(self, data: Sequence[Raw], pair: str, value: str, receive_ns: int) -> list[MarketEvent[str]]:
        """Return the trades of a frame."""
        return [
            Trade(self._exchange, pair, seconds_ns(row.time), receive_ns, row.price, row.size, _SIDES[row.side], "")
            for row in _decode_trades(data[0])
        ]

    def parse_spread(self, data: Sequence[Raw], pair: str, value: str, receive_ns: int) -> list[MarketEvent[str]]:
        """Return the quote of a frame."""
        row = _decode_spread(data[0])
        bid, bid_size = quoted(row.bid, row.bid_size)
        ask, ask_size = quoted(row.ask, row.ask_size)
        return [Quote(self._exchange, pair, seconds_ns(row.time), receive_ns, bid, bid_size, ask, ask_size, "")]

    def parse_ticker(self, data: Sequence[Raw], pair: str, value: str, receive_ns: int) -> list[MarketEvent[str]]:
        """Return the ticker of a frame."""
        row = _decode_ticker(data[0])
        return [
            Ticker(
                self._exchange,
                pair,
                0,
                receive_ns,
                row.close[0],
                row.open[1],
                row.high[1],
                row.low[1],
                row.volume[1],
                None,
                price_or_none(row.bid[0]),
                row.bid[2],
                price_or_none(row.ask[0]),
                row.ask[2],
            )
        ]

    def parse_candle(self, data: Sequence[Raw], pair: str, value: str, receive_ns: int) -> list[MarketEvent[str]]:
        """Return the running bar of a frame."""
        if value not in _INTERVAL_NAMES:
            raise UnrecognizedFrame(f"ohlc-{value}")
        row = _decode_candle(data[0])
        start_ns = seconds_ns(row.end) - int(value) * 60_000_000_000
        if start_ns < 0:
            raise msgspec.ValidationError(f"a bar that ends at {row.end}")
        return [
            Bar(
                self._exchange,
                pair,
                seconds_ns(row.time),
                receive_ns,
                _INTERVAL_NAMES[value],
                start_ns,
                row.open,
                row.high,
                row.low,
                row.close,
                row.volume,
                False,
            )
        ]

    def parse_book(self, data: Sequence[Raw], pair: str, value: str, receive_ns: int) -> list[MarketEvent[str]]:
        """Return the snapshot or update of a frame, or a gap."""
        if not value.isdigit() or not 1 <= int(value[:5]) <= 1_000:
            raise UnrecognizedFrame(f"book-{value}")
        objects = [_decode_book(part) for part in data]
        first, last = objects[0], objects[-1]
        out: list[MarketEvent[str]] = []
        if first.snapshot_asks is not None or first.snapshot_bids is not None:
            asks, bids = first.snapshot_asks or [], first.snapshot_bids or []
            snapshot: BookSnapshot[str] = BookSnapshot(
                self._exchange, pair, _time_ns(asks, bids), receive_ns, _levels(bids), _levels(asks), None, None, None
            )
            self._open(pair, int(value[:5])).snapshot(snapshot, None, out, self._notices)
            return out
        asks = [level for each in objects for level in each.asks]
        bids = [level for each in objects for level in each.bids]
        checksum = None if last.checksum is None else _checksum(last.checksum)
        delta: BookDelta[str] = BookDelta(
            self._exchange, pair, _time_ns(asks, bids), receive_ns, _levels(bids), _levels(asks), None, None, checksum
        )
        book = self._books.get(pair) or self._open(pair, int(value[:5]))
        book.update(delta, None, None, out, self._notices)
        return out

    def _open(self, pair: str, depth: int) -> ChainedBook:
        if pair not in self._books and len(self._books) >= ADOPTED_MAX:
            raise UnrecognizedFrame(f"more than {ADOPTED_MAX} books")
        book = self._books[pair] = ChainedBook(self._exchange, pair, f"book-{depth}:{pair}", book_checksum, depth=depth)
        return book


_PARSERS: dict[str, Callable[[RecordedFrames, Sequence[Raw], str, str, int], list[MarketEvent[str]]]] = {
    "trade": RecordedFrames.parse_trades,
    "spread": RecordedFrames.parse_spread,
    "ticker": RecordedFrames.parse_ticker,
    "ohlc": RecordedFrames.parse_candle,
    "book": RecordedFrames.parse_book,
}
"""By channel. Called with the data of a frame, its pair, the number behind the channel's name, and its receive time."""


def _checksum(text: str) -> int:
    return msgspec.convert(text, _Checksum, strict=False)


def _time_ns(*sides: Sequence[_Level]) -> int:
    """Return the time of the newest level; 0 if there is none."""
    return max((seconds_ns(level.time) for side in sides for level in side), default=0)


def _levels(levels: Sequence[_Level]) -> list[tuple[str, str]]:
    return [(level.price, level.size) for level in levels]
