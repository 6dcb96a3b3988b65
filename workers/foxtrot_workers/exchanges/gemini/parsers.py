"""Parsers: each serves one kind of stream of a connection, and appends the events that a frame of it means.

A frame names its symbol; its kind is told by its keys (`routes`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from foxtrot_protocol.events import MarketEvent, Quote, Trade
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.quote_side import quoted
from foxtrot_workers.exchanges.gemini.books import StreamBook
from foxtrot_workers.exchanges.gemini.constants import CHANNELS
from foxtrot_workers.exchanges.gemini.messages import decode_depth, decode_quote, decode_trade

__all__ = ["Adopt", "Parsers"]

Adopt: TypeAlias = Callable[[str], None]
"""Called with the wire name of a topic that was not subscribed: accepts it, or raises `UnrecognizedFrame`."""

_TRADE, _QUOTE, _BOOK = (CHANNELS[channel].removeprefix("{}") for channel in ("trade", "quote", "book"))


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
        self.wires: set[str] = set()
        """Wire names of the topics that are accepted."""
        self._books: dict[str, StreamBook] = {}
        self._started: set[str] = set()
        """Topics whose first message, the whole book, has come on this connection."""
        self.starts_whole = True
        """Whether the first message of each book is the whole book, by the address."""

    def open(self, wire: str) -> None:
        """Accept frames of a topic from now on."""
        self.wires.add(wire)
        symbol, _, stream = wire.partition("@")
        if f"@{stream}" == _BOOK:
            starts = self.starts_whole and wire not in self._started
            self._books[wire] = StreamBook(self._exchange, symbol, wire, starts=starts)

    def close(self, wire: str) -> None:
        """Refuse frames of a topic from now on."""
        self.wires.discard(wire)
        self._books.pop(wire, None)

    def parse_trade(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append a trade. Raises `msgspec.DecodeError` or `UnrecognizedFrame`, as all parsers."""
        row = decode_trade(frame)
        wire = row.symbol + _TRADE
        if wire not in self.wires:
            self._adopt(wire)
        out.append(
            Trade(
                self._exchange,
                row.symbol,
                row.time,
                receive_ns,
                row.price,
                row.size,
                "sell" if row.buyer_is_maker else "buy",
                str(row.trade_id),
            )
        )
        self._last_data_ns[wire] = receive_ns

    def parse_quote(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append a quote."""
        row = decode_quote(frame)
        wire = row.symbol + _QUOTE
        if wire not in self.wires:
            self._adopt(wire)
        bid, bid_size = quoted(row.bid, row.bid_size)
        ask, ask_size = quoted(row.ask, row.ask_size)
        out.append(
            Quote(self._exchange, row.symbol, row.time, receive_ns, bid, bid_size, ask, ask_size, str(row.update_id))
        )
        self._last_data_ns[wire] = receive_ns

    def parse_depth(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append a whole book, a change, or a gap where the book is lost."""
        message = decode_depth(frame)
        wire = message.symbol + _BOOK
        if wire not in self.wires:
            self._adopt(wire)
        self._started.add(wire)
        book = self._books[wire]
        book.take(message, receive_ns, out, self._notices)
        if book.live:  # a lost book has no data any more
            self._last_data_ns[wire] = receive_ns
        else:
            self._held_ns[wire] = receive_ns
