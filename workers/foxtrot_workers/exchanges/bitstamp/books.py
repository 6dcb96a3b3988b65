"""Order books: differences on the stream, the snapshot by REST; or full pictures. Source: "Live full order book".

A difference has a time that rises strictly, and no sequence: it is taken to follow the one before it on its connection.
So a snapshot fits if it is not older than the first difference that is held, and nothing shows a loss.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.bitstamp.constants import BOOK_PATH, US
from foxtrot_workers.exchanges.bitstamp.instruments import is_possible_symbol
from foxtrot_workers.exchanges.bitstamp.messages import BookData, decode_book_answer

__all__ = ["delta_of", "read_snapshot", "snapshot_of", "snapshot_request", "symbol_of_snapshot"]

_PATH = re.compile(re.escape(BOOK_PATH) + r"([^/]+)/?")


def snapshot_request(symbol: str) -> RestRequest:
    """Return the request for the whole book of a market, orders of one price together."""
    return RestRequest(f"book {symbol}", f"{BOOK_PATH}{quote(symbol)}/?group=1")


def symbol_of_snapshot(path: str) -> str:
    """Return the market of a snapshot request; "" for other requests."""
    match = _PATH.fullmatch(urlsplit(path).path)
    symbol = match[1] if match is not None else ""
    return symbol if is_possible_symbol(symbol) else ""


def read_snapshot(exchange: str, symbol: str, body: bytes, receive_ns: int) -> BookSnapshot[str]:
    """Return the book in the answer to a snapshot request. Raises `msgspec.DecodeError`.

    It counts as older by a microsecond: a difference of the same time is applied, which changes nothing if the book has
    it already.
    """
    data = decode_book_answer(body)
    last_id = str(data.time - 1)
    return BookSnapshot(exchange, symbol, data.time * US, receive_ns, data.bids, data.asks, None, last_id, None)


def snapshot_of(exchange: str, symbol: str, receive_ns: int, data: BookData) -> BookSnapshot[str]:
    """Return the whole book that `data` shows."""
    return BookSnapshot(exchange, symbol, data.time * US, receive_ns, data.bids, data.asks, None, str(data.time), None)


def delta_of(exchange: str, symbol: str, receive_ns: int, data: BookData, first: int) -> BookDelta[str]:
    """Return the change of a book that `data` shows; `first`: the time after that of the change before it."""
    return BookDelta(
        exchange, symbol, data.time * US, receive_ns, data.bids, data.asks, str(first), str(data.time), None
    )
