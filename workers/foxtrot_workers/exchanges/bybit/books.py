"""Order books: from wire levels to events ("Orderbook", "RPI Orderbook", "Full Orderbook").

Snapshots and updates come on the stream, their ids are dense. The full book comes without a snapshot, which is fetched
by REST.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from foxtrot_protocol.decimal_text import is_zero
from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.bybit.constants import FULL_BOOK_PATH, MS
from foxtrot_workers.exchanges.bybit.instruments import is_possible_symbol
from foxtrot_workers.exchanges.bybit.messages import (
    BookData,
    BookFrame,
    RpiBookData,
    decode_book,
    decode_full_book,
    decode_rpi_book,
)

__all__ = [
    "DecodeBook",
    "decode_plain",
    "decode_rpi",
    "delta_of",
    "full_book_request",
    "read_full_book",
    "snapshot_of",
    "symbol_of_full_book",
]

DecodeBook: TypeAlias = Callable[[bytes], BookFrame[BookData]]

decode_plain: DecodeBook = decode_book


def decode_rpi(frame: bytes) -> BookFrame[BookData]:
    """Decode a frame of ``orderbook.rpi``; a level's size is the sum of its two parts."""
    push: BookFrame[RpiBookData] = decode_rpi_book(frame)
    data = BookData(_sums(push.data.bids), _sums(push.data.asks), push.data.update_id)
    return BookFrame(push.kind, push.time, data, push.engine_time)


def snapshot_of(exchange: str, symbol: str, receive_ns: int, push: BookFrame[BookData]) -> BookSnapshot[str]:
    """Return the whole book that `push` shows."""
    data = push.data
    time = push.time if push.engine_time is None else push.engine_time
    return BookSnapshot(exchange, symbol, time * MS, receive_ns, data.bids, data.asks, None, str(data.update_id), None)


def delta_of(exchange: str, symbol: str, receive_ns: int, push: BookFrame[BookData]) -> BookDelta[str]:
    """Return the change of a book that `push` shows."""
    data = push.data
    update_id = str(data.update_id)
    time = push.time if push.engine_time is None else push.engine_time
    return BookDelta(exchange, symbol, time * MS, receive_ns, data.bids, data.asks, update_id, update_id, None)


def full_book_request(category: str, symbol: str) -> RestRequest:
    """Return the request for the whole book of `symbol`."""
    return RestRequest(f"book {symbol}", f"{FULL_BOOK_PATH}?category={category}&symbol={quote(symbol)}")


def symbol_of_full_book(path: str) -> str | None:
    """Return the symbol of a request for a whole book; None for other requests."""
    parts = urlsplit(path)
    symbol = parse_qs(parts.query).get("symbol", [""])[0]
    return symbol if parts.path.endswith(FULL_BOOK_PATH) and is_possible_symbol(symbol) else None


def read_full_book(exchange: str, symbol: str, body: bytes, receive_ns: int) -> BookSnapshot[str]:
    """Return the book in an answer. Raises `msgspec.DecodeError`, or ValueError where the answer is a refusal."""
    answer = decode_full_book(body)
    book = answer.result
    if answer.code or book is None:
        raise ValueError(f"{answer.code}: {answer.text}")
    time = book.time if book.engine_time is None else book.engine_time
    last_id = str(book.update_id)
    return BookSnapshot(exchange, symbol, time * MS, receive_ns, book.bids, book.asks, None, last_id, None)


def _sums(levels: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    return [(price, _sum(plain, improved)) for price, plain, improved in levels]


def _sum(size: str, more: str) -> str:
    if is_zero(more):
        return size
    if is_zero(size):
        return more
    try:
        return str(Decimal(size) + Decimal(more))
    except ArithmeticError:
        raise msgspec.ValidationError(f"not a size: {size[:50]!r}, {more[:50]!r}") from None
