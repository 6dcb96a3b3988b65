"""Order books: snapshots and updates both come on the stream, and name their predecessor. Where the stream sends no
snapshot, one is fetched by REST.

Source: "Order book channel"; checksums as documented until they ended in June 2026 (recordings still have them).
"""

from __future__ import annotations

import zlib
from itertools import chain, zip_longest
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from foxtrot_protocol.events import BookDelta, BookSnapshot, MarketEvent
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter import Notice, RestRequest
from foxtrot_workers.adapter.book_chain import BookChain
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.rest_book import RestBook
from foxtrot_workers.adapter.rest_books import RestBooks
from foxtrot_workers.exchanges.okx.constants import BOOK_LEVELS, BOOK_PATH, CHECKSUM_LEVELS, MS, SNAPSHOT_WAIT_S
from foxtrot_workers.exchanges.okx.instruments import is_possible_instrument
from foxtrot_workers.exchanges.okx.messages import BookRow, Level, decode_rest_book

__all__ = [
    "Book",
    "book_checksum",
    "delta_of",
    "read_rest_book",
    "rest_book_request",
    "snapshot_of",
    "symbol_of_rest_book",
]


def book_checksum(book: OrderBook[str]) -> int:
    """Return the exchange's checksum of `book`, unsigned.

    It is the CRC32 of the best 25 levels, bid and ask alternating, in the exchange's own digits.
    """
    bids = book.best_bids(CHECKSUM_LEVELS)
    asks = book.best_asks(CHECKSUM_LEVELS)
    pairs = zip_longest(bids, asks, fillvalue=())
    return zlib.crc32(":".join(chain.from_iterable(chain.from_iterable(pairs))).encode())


def _checksum(row: BookRow) -> int | None:
    """Return the checksum of `row`, unsigned; None for 0, which is sent since checksums ended in June 2026."""
    return row.checksum & 0xFFFFFFFF if row.checksum else None


def snapshot_of(exchange: str, symbol: str, receive_ns: int, row: BookRow) -> BookSnapshot[str]:
    """Return the whole book that `row` shows."""
    last_id = None if row.last_id is None else str(row.last_id)
    return BookSnapshot(
        exchange,
        symbol,
        row.time * MS,
        receive_ns,
        _levels(row.bids),
        _levels(row.asks),
        None,
        last_id,
        _checksum(row),
    )


def delta_of(exchange: str, symbol: str, receive_ns: int, row: BookRow) -> BookDelta[str]:
    """Return the change of a book that `row` shows."""
    return BookDelta(
        exchange,
        symbol,
        row.time * MS,
        receive_ns,
        _levels(row.bids),
        _levels(row.asks),
        None if row.previous_id is None else str(row.previous_id),
        None if row.last_id is None else str(row.last_id),
        _checksum(row),
    )


def rest_book_request(symbol: str) -> RestRequest:
    """Return the request for a snapshot of `symbol`."""
    return RestRequest(f"books {symbol}", f"{BOOK_PATH}?instId={quote(symbol)}&sz={BOOK_LEVELS}")


def symbol_of_rest_book(path: str) -> str | None:
    """Return the symbol of a request for a snapshot; None for other requests."""
    parts = urlsplit(path)
    query = parse_qs(parts.query)
    symbol = query.get("instId", [""])[0]
    is_book = parts.path.endswith(BOOK_PATH) and query.get("sz") == [str(BOOK_LEVELS)]
    return symbol if is_book and is_possible_instrument(symbol) else None


def read_rest_book(exchange: str, symbol: str, body: bytes, receive_ns: int) -> BookSnapshot[str]:
    """Return the book in an answer. Raises `msgspec.DecodeError`, or ValueError where the answer is a refusal."""
    answer = decode_rest_book(body)
    if str(answer.code) != "0" or not answer.data:
        raise ValueError(f"{answer.code}: {answer.msg}")
    return snapshot_of(exchange, symbol, receive_ns, answer.data[0])


class Book:
    """One book in step: its snapshot comes on the stream, or else by REST.

    By REST if the stream begins with an update, or if it has sent no snapshot `SNAPSHOT_WAIT_S` after the book was
    lost. A snapshot on the stream ends that.

    Args:
        exchange: name in events.
        symbol: symbol in events.
        wire: wire name of the topic, for notices.
        fetched: the books of the connection that are fetched by REST.
    """

    def __init__(self, exchange: str, symbol: str, wire: str, fetched: RestBooks) -> None:
        self._symbol = symbol
        self._wire = wire
        self._fetched = fetched
        self._stream = ChainedBook(exchange, symbol, wire, book_checksum)
        self._rest: RestBook | None = None
        self._begun = False
        self._lost_ns: int | None = None
        """Receive time of the first update since the book was lost; None while it is not."""

    @property
    def chain(self) -> BookChain:
        """State of the chain on the stream; it is never steady while the book is fetched by REST."""
        return self._stream.chain

    @property
    def live(self) -> bool:
        """Whether updates are published as they come."""
        return self._stream.live if self._rest is None else self._rest.live

    def snapshot(
        self, event: BookSnapshot[str], row: BookRow, out: list[MarketEvent[str]], notices: list[Notice]
    ) -> None:
        """Process a snapshot that came on the stream."""
        if self._rest is not None:
            self._fetched.close(self._symbol)
            self._rest = None
        self._begun = True
        self._lost_ns = None
        self._stream.snapshot(event, row.last_id, out, notices)

    def update(self, event: BookDelta[str], row: BookRow, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        """Process an update, or a keepalive: nothing has changed since the last one."""
        previous, last = row.previous_id, row.last_id
        if self._rest is None and previous is not None and last is not None and self._needs_fetch(event.receive_ns):
            self._rest = self._fetched.open(self._symbol, self._wire)
        is_keepalive = not row.bids and not row.asks and previous is not None and previous == last
        if self._rest is None:
            if is_keepalive and previous is not None:
                self._stream.quiet(event, previous, out, notices)
            else:
                self._stream.update(event, previous, last, out, notices)
        elif previous is None or last is None:
            raise msgspec.ValidationError("a book update without identifiers")
        elif not is_keepalive:
            self._rest.delta(event, previous, last, previous, out, notices)

    def _needs_fetch(self, now_ns: int) -> bool:
        if self._stream.live:
            self._lost_ns = None
            return False
        if not self._begun:
            return True
        if self._lost_ns is None:
            self._lost_ns = now_ns
        return now_ns - self._lost_ns > SNAPSHOT_WAIT_S * 1e9


def _levels(levels: list[Level]) -> list[tuple[str, str]]:
    return [(level.price, level.size) for level in levels]
