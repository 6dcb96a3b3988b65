"""Parsers: each serves one channel of a connection, and appends the events that a frame of it means.

A frame is decoded once, and all of it before it changes anything. Then it takes its place in the sequence of the
connection: where a message is missing, all books of the connection are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec

from foxtrot_protocol.events import Bar, BookDelta, BookSnapshot, MarketEvent, Ticker, Trade
from foxtrot_workers.adapter import Adapter, UnrecognizedFrame
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.iso_time import iso_ns
from foxtrot_workers.adapter.quote_side import price_or_none
from foxtrot_workers.exchanges.coinbase_advanced.books import delta_of, snapshot_of
from foxtrot_workers.exchanges.coinbase_advanced.constants import BAR_INTERVAL
from foxtrot_workers.exchanges.coinbase_advanced.messages import (
    Seconds,
    TradeRow,
    TradesEvent,
    decode_books,
    decode_candles,
    decode_tickers,
    decode_trades,
    sent_name,
)

__all__ = ["Adopt", "Parsers"]

Adopt: TypeAlias = Callable[[str], None]
"""Called with the wire name of a topic that was not subscribed: accepts it, or raises `UnrecognizedFrame`."""


class Parsers:
    """The parsers of one connection, and the topics that they accept.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parsers fill in.
        adopt: called with a topic that was not subscribed.
    """

    def __init__(self, adapter: Adapter, adopt: Adopt) -> None:
        self._exchange = adapter.exchange
        self._last_data_ns = adapter.last_data_ns
        self._held_ns = adapter.held_ns
        self._notices = adapter.notices
        self._adopt = adopt
        self.wires: dict[str, str] = {}
        """Wire names of the topics that are accepted, by channel and product as messages name them."""
        self._books: dict[str, ChainedBook] = {}
        self._sequence: int | None = None

    def open(self, wire: str) -> None:
        """Accept frames of a topic from now on."""
        channel, _, product = wire.partition(":")
        self.wires[f"{channel}:{sent_name(product)}"] = wire
        if channel == "level2":
            self._books[wire] = ChainedBook(self._exchange, product, wire)

    def close(self, wire: str) -> None:
        """Refuse frames of a topic from now on."""
        channel, _, product = wire.partition(":")
        self.wires.pop(f"{channel}:{sent_name(product)}", None)
        self._books.pop(wire, None)

    def follow(self, sequence: int, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Take the next message of the connection: all books are lost where one before it is missing."""
        last, self._sequence = self._sequence, sequence
        if last is None or sequence == last + 1:
            return
        for book in self._books.values():
            book.lose(f"message {sequence} came after {last}", 0, receive_ns, out, self._notices)

    def skip(self, sequence: int) -> None:
        """Take the next message of the connection, which nothing was read from, if none before it is missing."""
        if self._sequence is not None and sequence == self._sequence + 1:
            self._sequence = sequence

    def _wires(self, channel: str, products: Iterable[str], sequence: int) -> list[str]:
        """Return the wire names of the topics that message `sequence` is about."""
        known = self.wires
        names = [f"{channel}:{product}" for product in products]
        for name in names:
            if name not in known:
                try:
                    self._adopt(name)
                except UnrecognizedFrame:
                    self.skip(sequence)
                    raise
        return [known[name] for name in names]

    def parse_books(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append snapshots and updates, or gaps of lost books. Raises as all parsers."""
        message = decode_books(frame)
        time_ns = iso_ns(message.time)
        wires = self._wires("level2", [event.product for event in message.events], message.sequence)
        self.follow(message.sequence, receive_ns, out)
        for wire, event in zip(wires, message.events, strict=True):
            book, symbol = self._books[wire], wire.partition(":")[2]
            if event.type == "snapshot":
                whole: BookSnapshot[str] = snapshot_of(self._exchange, symbol, time_ns, receive_ns, event.updates)
                book.snapshot(whole, None, out, self._notices)
            else:
                delta: BookDelta[str] = delta_of(self._exchange, symbol, time_ns, receive_ns, event.updates)
                book.update(delta, None, None, out, self._notices)
            if book.live:  # a book that waits for its snapshot has no data yet
                self._last_data_ns[wire] = receive_ns
            else:
                self._held_ns[wire] = receive_ns

    def parse_trades(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append trades, oldest first."""
        message = decode_trades(frame)
        rows = message.events[0].trades if len(message.events) == 1 else _all_trades(message.events)
        for row in rows:
            if not (row.trade_id.isascii() and row.trade_id.isdigit()):  # a pattern takes as long as decoding the rest
                raise msgspec.ValidationError("a trade_id that is no number")
        if len(rows) > 1:
            rows = sorted(rows, key=lambda row: int(row.trade_id))
        wires = self._wires("market_trades", [row.product for row in rows], message.sequence)
        trades = [
            Trade(
                self._exchange,
                wire.partition(":")[2],
                iso_ns(row.time),
                receive_ns,
                row.price,
                row.size,
                "buy" if row.side == "BUY" else "sell",
                row.trade_id,
            )
            for wire, row in zip(wires, rows, strict=True)
        ]
        self.follow(message.sequence, receive_ns, out)
        out.extend(trades)
        self._mark(wires, receive_ns)

    def parse_tickers(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append tickers."""
        message = decode_tickers(frame)
        time_ns = iso_ns(message.time)
        rows = [row for event in message.events for row in event.tickers]
        wires = self._wires("ticker", [row.product for row in rows], message.sequence)
        self.follow(message.sequence, receive_ns, out)
        out.extend(
            [
                Ticker(
                    self._exchange,
                    wire.partition(":")[2],
                    time_ns,
                    receive_ns,
                    row.price or None,
                    None,
                    row.high or None,
                    row.low or None,
                    row.volume or None,
                    None,
                    price_or_none(row.bid),
                    row.bid_size or None,
                    price_or_none(row.ask),
                    row.ask_size or None,
                )
                for wire, row in zip(wires, rows, strict=True)
            ]
        )
        self._mark(wires, receive_ns)

    def parse_candles(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append bars, oldest first; one before a later bar of its product is closed."""
        message = decode_candles(frame)
        time_ns = iso_ns(message.time)
        rows = [(_seconds(row.start), row) for event in message.events for row in event.candles]
        rows.sort(key=lambda each: each[0])
        wires = self._wires("candles", [row.product for _, row in rows], message.sequence)
        newest = {row.product: start for start, row in rows}
        self.follow(message.sequence, receive_ns, out)
        out.extend(
            [
                Bar(
                    self._exchange,
                    wire.partition(":")[2],
                    time_ns,
                    receive_ns,
                    BAR_INTERVAL,
                    start * 1_000_000_000,
                    row.open,
                    row.high,
                    row.low,
                    row.close,
                    row.volume,
                    start < newest[row.product],
                )
                for wire, (start, row) in zip(wires, rows, strict=True)
            ]
        )
        self._mark(wires, receive_ns)

    def _mark(self, wires: list[str], receive_ns: int) -> None:
        for wire in wires:
            self._last_data_ns[wire] = receive_ns


def _all_trades(events: Iterable[TradesEvent]) -> list[TradeRow]:
    return [row for event in events for row in event.trades]


def _seconds(text: str) -> int:
    """Return seconds sent as text. Raises `msgspec.ValidationError`."""
    return msgspec.convert(text, Seconds, strict=False)
