"""Books of one connection whose snapshots come by REST: they share one bound of bytes for held updates. Pure.

`rest_book` keeps one of them in step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from foxtrot_protocol.events import BookSnapshot, MarketEvent
from foxtrot_workers.adapter.held_updates import HeldBytes
from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.adapter.notices import Notice, RestRequest
from foxtrot_workers.adapter.rest_book import Chain, RestBook

__all__ = ["REASON_BYTES", "ReadSnapshot", "RestBooks"]

REASON_BYTES = 200
"""Bytes of an unusable answer, or of the reason, that are passed on."""

ReadSnapshot = Callable[[str, bytes, int], BookSnapshot[str]]
"""``(symbol, body, receive_ns)``: reads the answer (status 200) to a snapshot request; `last_id` is a whole number.
Raises `msgspec.DecodeError`, or ValueError where the answer is a refusal."""


class RestBooks:
    """The books of one connection.

    Args:
        exchange: name in events.
        notices: where requests for snapshots, and the loss of a book, are appended.
        request: returns the snapshot request of a symbol.
        read: reads its answer.
        chain: how updates identify their predecessor.
    """

    def __init__(
        self,
        exchange: str,
        notices: list[Notice],
        request: Callable[[str], RestRequest],
        read: ReadSnapshot,
        chain: Chain = Chain.NEXT,
    ) -> None:
        self._exchange = exchange
        self._notices = notices
        self._request = request
        self._read = read
        self._chain = chain
        self._books: dict[str, RestBook] = {}
        self._held_bytes = HeldBytes()

    def __len__(self) -> int:
        return len(self._books)

    def get(self, symbol: str) -> RestBook | None:
        """Return the book of `symbol`; None where it is not open."""
        return self._books.get(symbol)

    def open(self, symbol: str, wire: str) -> RestBook:
        """Return the book of `symbol`; a new one takes its updates from the topic `wire`."""
        book = self._books.get(symbol)
        if book is None:
            request = self._request(symbol)
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
            book = self._books.get(topic.symbol)
            if book is not None and book.wire == topic.wire:
                book.resync(self._notices)

    def take_snapshot(
        self, symbol: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]
    ) -> RestBook | None:
        """Give the answer to a snapshot request to the book of `symbol`, which is open.

        An answer that cannot be used is reported, and the snapshot requested again, later each time.

        Args:
            symbol: of the book.
            status: HTTP status; 0: there was no answer, and `body` says why.
            body: of the answer.
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
            snapshot = self._read(symbol, body, receive_ns)
            last = int(snapshot.last_id or "")
        except (msgspec.DecodeError, RecursionError, ValueError) as error:  # UTF-8 errors are ValueErrors
            book.failed(f"its snapshot cannot be read: {error}"[:REASON_BYTES], self._notices)
            return None
        book.snapshot(snapshot, last, out, self._notices)
        return book
