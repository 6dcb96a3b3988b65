"""Order books of one connection: updates come on the stream, snapshots by REST.

Source: ``web-socket-streams.md``, "How to manage a local order book correctly".
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from foxtrot_protocol.events import BookSnapshot, MarketEvent
from foxtrot_workers.adapter import Notice, RestRequest, Topic
from foxtrot_workers.adapter.held_updates import HeldBytes
from foxtrot_workers.adapter.rest_book import Chain, RestBook
from foxtrot_workers.exchanges.binance.constants import DEPTH_LEVELS, MS, REASON_BYTES, SPOT_REST, Rest
from foxtrot_workers.exchanges.binance.instruments import is_possible_symbol
from foxtrot_workers.exchanges.binance.messages import decode_partial_book

__all__ = ["Books", "symbol_of_snapshot"]


def symbol_of_snapshot(path: str) -> str | None:
    """Return the symbol of a snapshot request, ``…/depth?symbol=…`` of any API version; None for other requests."""
    parts = urlsplit(path)
    symbol = parse_qs(parts.query).get("symbol", [""])[0].upper()
    return symbol if parts.path.endswith("/depth") and is_possible_symbol(symbol) else None


class Books:
    """The books of one connection, by symbol. They share one bound of bytes for updates that wait for a snapshot.

    Args:
        exchange: the exchange as events name it.
        notices: where requests for snapshots, and the loss of a book, are appended.
        rest: where snapshots are requested.
        chain: how updates identify their predecessor.
    """

    def __init__(self, exchange: str, notices: list[Notice], rest: Rest = SPOT_REST, chain: Chain = Chain.NEXT) -> None:
        self._exchange = exchange
        self._notices = notices
        self._rest = rest
        self._chain = chain
        self._books: dict[str, RestBook] = {}
        self._held_bytes = HeldBytes()

    def __len__(self) -> int:
        return len(self._books)

    def get(self, symbol: str) -> RestBook | None:
        """Return the book of `symbol` (upper case); None where it is not open."""
        return self._books.get(symbol)

    def open(self, symbol: str, wire: str) -> RestBook:
        """Return the book of `symbol`; a new one takes its updates from the stream `wire`."""
        book = self._books.get(symbol)
        if book is None:
            path = f"{self._rest.prefix}/depth?symbol={quote(symbol)}&limit={DEPTH_LEVELS}"
            request = RestRequest(f"depth {symbol}", path, self._rest.depth_weight)
            book = RestBook(self._exchange, symbol, wire, request, self._chain, self._held_bytes)
            self._books[symbol] = book
        return book

    def close(self, symbol: str) -> None:
        """Forget the book of `symbol`, and free what it holds."""
        book = self._books.pop(symbol, None)
        if book is not None:
            book.close()

    def resync(self, topics: Sequence[Topic]) -> None:
        """Request a fresh snapshot of each live book among `topics`; updates go on meanwhile."""
        for topic in topics:
            book = self._books.get(topic.symbol.upper())
            if book is not None and book.wire == topic.wire:
                book.resync(self._notices)

    def take_snapshot(
        self, symbol: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]
    ) -> RestBook | None:
        """Give the answer to a snapshot request to the book of `symbol`, which is open.

        An answer that cannot be used is reported, and the snapshot requested again, later each time.

        Args:
            status: HTTP status; 0: there was no answer, and `body` says why.
            receive_ns: receive time of the answer, nanoseconds since 1970.
            out: where events are appended.

        Returns:
            The book if the answer was a snapshot, else None.
        """
        book = self._books[symbol]
        if status != 200:
            said = body[:REASON_BYTES].decode(errors="replace")
            book.failed(f"its snapshot: status {status}" if status else f"its snapshot: {said}", self._notices)
            return None
        try:
            answer = decode_partial_book(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            book.failed(f"its snapshot cannot be read: {error}"[:REASON_BYTES], self._notices)
            return None
        last_id = str(answer.last_id)
        snapshot = BookSnapshot(
            self._exchange, symbol, answer.event_time * MS, receive_ns, answer.bids, answer.asks, None, last_id, None
        )
        book.snapshot(snapshot, answer.last_id, out, self._notices)
        return book
