"""Parsers: each serves one channel of a connection, and appends the events that a frame of it means.

A frame names its type in its first bytes, and the product further on: a parser decodes it once, and looks up the
product then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from foxtrot_protocol.events import MarketEvent, Ticker, Trade
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.iso_time import iso_ns
from foxtrot_workers.adapter.quote_side import price_or_none
from foxtrot_workers.exchanges.coinbase.books import delta_of, snapshot_of
from foxtrot_workers.exchanges.coinbase.history import TAKER_SIDES
from foxtrot_workers.exchanges.coinbase.messages import decode_change, decode_start, decode_ticker, decode_trade

__all__ = ["Adopt", "Books", "Tickers", "Trades"]

S = TypeVar("S")

Adopt: TypeAlias = Callable[[str], None]
"""Called with a product that was not subscribed: accepts it, or raises `UnrecognizedFrame`."""


class _Products(Generic[S]):
    """The products of one channel.

    Args:
        adapter: its `exchange`, `last_data_ns`, `held_ns` and `notices` are what the parser fills in.
        adopt: called with a product that was not subscribed.
    """

    def __init__(self, adapter: Adapter, adopt: Adopt) -> None:
        self._exchange = adapter.exchange
        self._last_data_ns = adapter.last_data_ns
        self._held_ns = adapter.held_ns
        self._notices = adapter.notices
        self._adopt = adopt
        self._products: dict[str, S] = {}

    def close(self, product: str) -> None:
        """Refuse frames about `product` from now on."""
        self._products.pop(product, None)

    def _adopted(self, product: str) -> S:
        self._adopt(product)
        return self._products[product]


class Trades(_Products[str]):
    """``matches``; a product stands for its wire name."""

    def open(self, product: str, wire: str) -> None:
        """Accept frames about `product` from now on."""
        self._products[product] = wire

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append a trade. Raises `msgspec.DecodeError` or `UnrecognizedFrame`, as all parsers."""
        row = decode_trade(frame)
        product = row.product
        wire = self._products.get(product) or self._adopted(product)
        out.append(
            Trade(
                self._exchange,
                product,
                iso_ns(row.time),
                receive_ns,
                row.price,
                row.size,
                TAKER_SIDES[row.side],
                str(row.trade_id),
            )
        )
        self._last_data_ns[wire] = receive_ns


class Tickers(_Products[str]):
    """``ticker``; a product stands for its wire name."""

    def open(self, product: str, wire: str) -> None:
        """Accept frames about `product` from now on."""
        self._products[product] = wire

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append a ticker."""
        row = decode_ticker(frame)
        product = row.product
        wire = self._products.get(product) or self._adopted(product)
        out.append(
            Ticker(
                self._exchange,
                product,
                0 if row.time is None else iso_ns(row.time),
                receive_ns,
                row.price or None,
                row.open or None,
                row.high or None,
                row.low or None,
                row.volume or None,
                None,
                price_or_none(row.bid),
                row.bid_size or None,
                price_or_none(row.ask),
                row.ask_size or None,
            )
        )
        self._last_data_ns[wire] = receive_ns


class _Book:
    __slots__ = ("book", "wire")

    def __init__(self, book: ChainedBook, wire: str) -> None:
        self.book = book
        self.wire = wire


class Books(_Products[_Book]):
    """``level2_batch``."""

    def open(self, product: str, wire: str) -> None:
        """Accept frames about `product` from now on."""
        self._products[product] = _Book(ChainedBook(self._exchange, product, wire), wire)

    def parse_start(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append a snapshot."""
        start = decode_start(frame)
        product = self._products.get(start.product) or self._adopted(start.product)
        event = snapshot_of(self._exchange, receive_ns, start)
        product.book.snapshot(event, None, out, self._notices)
        self._mark(product, receive_ns)

    def parse_change(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append an update, or a gap where the book is lost."""
        change = decode_change(frame)
        product = self._products.get(change.product) or self._adopted(change.product)
        event = delta_of(self._exchange, receive_ns, change)
        product.book.update(event, None, None, out, self._notices)
        self._mark(product, receive_ns)

    def _mark(self, product: _Book, receive_ns: int) -> None:
        if product.book.live:  # a book that waits for its snapshot has no data yet
            self._last_data_ns[product.wire] = receive_ns
        else:
            self._held_ns[product.wire] = receive_ns
