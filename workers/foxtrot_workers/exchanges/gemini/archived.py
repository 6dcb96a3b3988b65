"""Frames of the archived feeds, as recordings have them: market data v2, and v1 of one or several symbols.

Source: "Market Data v2" and "Market Data v1", archived. Neither numbers the changes of a book. In v2 the first
``l2_updates`` of a symbol, with past trades inside, is the whole book. In v1 the first frame is, and each frame of the
connection has the next ``socket_sequence``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from foxtrot_protocol.events import Bar, BookDelta, BookSnapshot, MarketEvent, Trade
from foxtrot_workers.adapter import Adapter, UnrecognizedFrame
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.number_text import Number, number_decoder, number_text
from foxtrot_workers.exchanges.gemini.constants import ADOPTED_MAX, ARCHIVED_INTERVALS, MS
from foxtrot_workers.exchanges.gemini.instruments import is_possible_symbol

__all__ = ["ArchivedFrames"]

_Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]


class _Trade(Struct, gc=False):
    """A trade of v2; its side is the taker's, or names an auction or a block."""

    event_id: int
    timestamp: _Millis
    price: str
    quantity: str
    side: str
    symbol: str = ""


class _Change(Struct, array_like=True, gc=False):
    side: Literal["buy", "sell"]
    price: str
    size: str


class _Levels(Struct, gc=False):
    """``l2_updates``."""

    symbol: str
    changes: list[_Change]
    trades: list[_Trade] | None = None


class _Candle(Struct, array_like=True, gc=False):
    start: _Millis
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number


class _Candles(Struct, gc=False):
    """``candles_…_updates``."""

    symbol: str
    changes: list[_Candle]


class _Event(Struct, gc=False):
    """A change or a trade of v1."""

    type: str
    price: str = ""
    remaining: str = ""
    side: str = ""
    reason: str = ""
    symbol: str = ""
    trade_id: int | None = field(name="tid", default=None)
    amount: str = ""
    maker_side: str = field(name="makerSide", default="")


class _Update(Struct, gc=False):
    """``update`` of v1."""

    sequence: int = field(name="socket_sequence")
    events: list[_Event]
    time: _Millis = field(name="timestampms", default=0)


class _Heartbeat(Struct, gc=False):
    """``heartbeat``; only v1 numbers it."""

    sequence: int | None = field(name="socket_sequence", default=None)


_decode_levels = msgspec.json.Decoder(_Levels).decode
_decode_trade = msgspec.json.Decoder(_Trade).decode
_decode_candles = number_decoder(_Candles)
_decode_update = msgspec.json.Decoder(_Update).decode
_decode_heartbeat = msgspec.json.Decoder(_Heartbeat).decode

_TAKER: dict[str, Literal["buy", "sell"]] = {"ask": "buy", "bid": "sell", "buy": "buy", "sell": "sell"}
"""The taker's side: by the maker's in v1, as it is in v2."""


class ArchivedFrames:
    """Reads the frames of one recorded connection; `adapter` gets the notices of its books."""

    def __init__(self, adapter: Adapter) -> None:
        self._exchange = adapter.exchange
        self._notices = adapter.notices
        self._books: dict[str, ChainedBook] = {}
        self._sequence: int | None = None
        self.symbol = ""
        """Symbol of all events, where the address names it and events do not."""

    def parse(self, kind: str, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append the events of a frame of type `kind`. Raises `msgspec.DecodeError` or `UnrecognizedFrame`."""
        if kind == "l2_updates":
            out.extend(self._take_levels(_decode_levels(frame), receive_ns))
        elif kind == "trade":
            row = _decode_trade(frame)
            if row.side not in ("buy", "sell"):
                raise UnrecognizedFrame(f"a trade whose side is {row.side}")
            out.extend(self._trades(self._checked(row.symbol), [row], receive_ns))
        elif kind == "update":
            self._take_update(_decode_update(frame), receive_ns, out)
        elif kind == "heartbeat":
            sequence = _decode_heartbeat(frame).sequence
            if sequence is not None:
                self._follow(sequence)
        elif kind.startswith("candles_") and kind.endswith("_updates"):
            out.extend(self._bars(kind, _decode_candles(frame), receive_ns))
        else:
            raise UnrecognizedFrame(kind)

    # -- market data v2

    def _take_levels(self, message: _Levels, receive_ns: int) -> list[MarketEvent[str]]:
        symbol = self._checked(message.symbol)
        bids = [(change.price, change.size) for change in message.changes if change.side == "buy"]
        asks = [(change.price, change.size) for change in message.changes if change.side == "sell"]
        trades = self._trades(symbol, message.trades or (), receive_ns)
        out: list[MarketEvent[str]] = []
        self._take_book(symbol, bids, asks, 0, receive_ns, out, whole=message.trades is not None)
        return [*out, *trades]

    def _trades(self, symbol: str, rows: Sequence[_Trade], receive_ns: int) -> list[MarketEvent[str]]:
        """Return trades, oldest first, without those that have no taker."""
        return [
            Trade(
                self._exchange,
                symbol,
                row.timestamp * MS,
                receive_ns,
                row.price,
                row.quantity,
                _TAKER[row.side],
                str(row.event_id),
            )
            for row in sorted(rows, key=lambda row: row.event_id)
            if row.side in ("buy", "sell")
        ]

    def _bars(self, kind: str, message: _Candles, receive_ns: int) -> list[MarketEvent[str]]:
        interval = ARCHIVED_INTERVALS.get(kind.removeprefix("candles_").removesuffix("_updates"))
        if interval is None:
            raise UnrecognizedFrame(kind)
        symbol = self._checked(message.symbol)
        newest = max((row.start for row in message.changes), default=0)
        return [
            Bar(
                self._exchange,
                symbol,
                0,
                receive_ns,
                interval,
                row.start * MS,
                number_text(row.open),
                number_text(row.high),
                number_text(row.low),
                number_text(row.close),
                number_text(row.volume),
                row.start < newest,
            )
            for row in sorted(message.changes, key=lambda row: row.start)
        ]

    # -- market data v1

    def _take_update(self, message: _Update, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        symbols = dict.fromkeys(self._checked(event.symbol or self.symbol) for event in message.events)
        for event in message.events:
            if event.type == "trade" and event.trade_id is None:
                raise msgspec.ValidationError("a trade without identifier")
            if event.type == "change" and (event.side not in ("bid", "ask") or not event.price or not event.remaining):
                raise msgspec.ValidationError("a change without side, price or size")
        self._follow(message.sequence)
        for symbol in symbols:
            events = [event for event in message.events if (event.symbol or self.symbol) == symbol]
            self._take_events(symbol, events, message.time * MS, receive_ns, out)

    def _take_events(
        self, symbol: str, events: Sequence[_Event], time_ns: int, receive_ns: int, out: list[MarketEvent[str]]
    ) -> None:
        changes = [event for event in events if event.type == "change"]
        if changes:
            bids = [(event.price, event.remaining) for event in changes if event.side == "bid"]
            asks = [(event.price, event.remaining) for event in changes if event.side == "ask"]
            whole = any(event.reason == "initial" for event in changes)
            self._take_book(symbol, bids, asks, time_ns, receive_ns, out, whole=whole)
        out.extend(
            Trade(
                self._exchange,
                symbol,
                time_ns,
                receive_ns,
                event.price,
                event.amount,
                _TAKER[event.maker_side],
                str(event.trade_id),
            )
            for event in events
            if event.type == "trade" and event.maker_side in ("bid", "ask")
        )

    def _follow(self, sequence: int) -> None:
        """Forget all books where a frame of the connection is missing: their next changes are gaps."""
        if self._sequence is not None and sequence != self._sequence + 1 and sequence != 0:
            self._books.clear()
        self._sequence = sequence

    # -- both

    def _take_book(
        self,
        symbol: str,
        bids: list[tuple[str, str]],
        asks: list[tuple[str, str]],
        time_ns: int,
        receive_ns: int,
        out: list[MarketEvent[str]],
        *,
        whole: bool,
    ) -> None:
        book = self._books.get(symbol)
        if book is None:
            if len(self._books) >= ADOPTED_MAX:
                raise UnrecognizedFrame(f"more than {ADOPTED_MAX} books")
            book = self._books[symbol] = ChainedBook(self._exchange, symbol, f"l2:{symbol}")
        if whole:
            snapshot: BookSnapshot[str] = BookSnapshot(
                self._exchange, symbol, time_ns, receive_ns, bids, asks, None, None, None
            )
            book.snapshot(snapshot, None, out, self._notices)
            return
        delta: BookDelta[str] = BookDelta(self._exchange, symbol, time_ns, receive_ns, bids, asks, None, None, None)
        book.update(delta, None, None, out, self._notices)

    def _checked(self, symbol: str) -> str:
        if not is_possible_symbol(symbol):
            raise UnrecognizedFrame(f"symbol {symbol}")
        return symbol
