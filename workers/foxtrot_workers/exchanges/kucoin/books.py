"""Order books: snapshots by REST, updates and partial books on the stream.

Source: "Orderbook - Increment" of spot and of futures, "Get Part OrderBook", "Get Full OrderBook" (futures).
"""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from foxtrot_protocol.decimal_text import is_zero
from foxtrot_protocol.events import BookSnapshot
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.adapter.number_text import level_texts
from foxtrot_workers.adapter.rest_books import ReadSnapshot
from foxtrot_workers.exchanges.kucoin.constants import MS, SUCCESS_CODE
from foxtrot_workers.exchanges.kucoin.instruments import is_possible_symbol
from foxtrot_workers.exchanges.kucoin.messages import decode_rest_book

__all__ = ["change_of_text", "changes_of_side", "reader_of", "snapshot_request", "symbol_of_snapshot"]

_SNAPSHOT_WEIGHT = 3


def snapshot_request(path: str, symbol: str) -> RestRequest:
    """Return the request for a snapshot of the book of `symbol`."""
    return RestRequest(f"book {symbol}", f"{path}?symbol={quote(symbol)}", _SNAPSHOT_WEIGHT)


def symbol_of_snapshot(path: str) -> str | None:
    """Return the symbol of a snapshot request, of any API version and depth; None for other requests."""
    parts = urlsplit(path)
    if "/orderbook/level2" not in parts.path and "/level2/snapshot" not in parts.path:
        return None
    symbol = parse_qs(parts.query).get("symbol", [""])[0].upper()
    return symbol if is_possible_symbol(symbol) else None


def reader_of(exchange: str) -> ReadSnapshot:
    """Return the function that reads a snapshot into an event of `exchange`."""

    def read_snapshot(symbol: str, body: bytes, receive_ns: int) -> BookSnapshot[str]:
        answer = decode_rest_book(body)
        book = answer.data
        if answer.code != SUCCESS_CODE or book is None:
            raise ValueError(f"{answer.code}: {answer.msg}")
        return BookSnapshot(
            exchange,
            symbol,
            book.time * MS or book.time_ns,
            receive_ns,
            level_texts(book.bids),
            level_texts(book.asks),
            None,
            str(book.sequence),
            None,
        )

    return read_snapshot


def changes_of_side(rows: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Return changed levels without their sequence; a price of zero stands for none, and only moves the sequence."""
    return [(price, size) for price, size, _ in rows if not (price < "1" and not price.lstrip("0.") and is_zero(price))]


def change_of_text(change: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return changed bids and asks of ``price,side,size``. Raises `msgspec.ValidationError`."""
    parts = change.split(",")
    if len(parts) != 3 or parts[1] not in ("buy", "sell"):
        raise msgspec.ValidationError("Expected `price,side,size` - at `$.data.change`")
    price, side, size = parts
    levels = [] if is_zero(price) else [(price, size)]
    return (levels, []) if side == "buy" else ([], levels)
