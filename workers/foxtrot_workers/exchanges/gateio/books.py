"""Order books: snapshots by REST for ``order_book_update``, on the stream for ``obu``.

Source: "How to maintain a local order book" of spot and futures, announcements 44946 and 45317.
"""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

from foxtrot_protocol.events import BookSnapshot
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.adapter.number_text import number_text
from foxtrot_workers.adapter.rest_books import ReadSnapshot
from foxtrot_workers.exchanges.gateio.constants import MS, SNAPSHOT_LEVELS
from foxtrot_workers.exchanges.gateio.history import time_ns_of
from foxtrot_workers.exchanges.gateio.instruments import is_possible_symbol
from foxtrot_workers.exchanges.gateio.messages import ContractLevel, decode_futures_book, decode_spot_book

__all__ = ["contract_levels", "reader_of", "snapshot_request", "symbol_of_snapshot"]


def snapshot_request(prefix: str, key: str, symbol: str) -> RestRequest:
    """Return the request for a snapshot of the book of `symbol`; `key` is the parameter that names it."""
    query = f"{key}={quote(symbol)}&limit={SNAPSHOT_LEVELS}&with_id=true"
    return RestRequest(f"book {symbol}", f"{prefix}/order_book?{query}")


def symbol_of_snapshot(path: str, key: str) -> str | None:
    """Return the symbol of a snapshot request; None for other requests."""
    parts = urlsplit(path)
    symbol = parse_qs(parts.query).get(key, [""])[0].upper()
    return symbol if parts.path.endswith("/order_book") and is_possible_symbol(symbol) else None


def contract_levels(levels: list[ContractLevel]) -> list[tuple[str, str]]:
    """Return levels of a futures book as text. Raises `msgspec.ValidationError`."""
    return [
        (
            level.price if type(level.price) is str and level.price else number_text(level.price),
            number_text(level.size),
        )
        for level in levels
    ]


def reader_of(exchange: str, *, futures: bool) -> ReadSnapshot:
    """Return the function that reads a snapshot into an event of `exchange`."""

    def read_spot(symbol: str, body: bytes, receive_ns: int) -> BookSnapshot[str]:
        book = decode_spot_book(body)
        return BookSnapshot(
            exchange, symbol, book.time * MS, receive_ns, book.bids, book.asks, None, str(book.id), None
        )

    def read_futures(symbol: str, body: bytes, receive_ns: int) -> BookSnapshot[str]:
        book = decode_futures_book(body)
        bids, asks = contract_levels(book.bids), contract_levels(book.asks)
        time_ns = time_ns_of(book.update)
        return BookSnapshot(exchange, symbol, time_ns, receive_ns, bids, asks, None, str(book.id), None)

    return read_futures if futures else read_spot
