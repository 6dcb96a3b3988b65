"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.upbit.constants import BOOK_UNITS, ORDERBOOK_PATH, TRADES_PATH
from foxtrot_workers.exchanges.upbit.messages import decode_liveness_book, decode_liveness_trades

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic) -> RestRequest:
    """Request the order book of books and quotes, the newest trade of all other channels: they move with trades."""
    market = quote(topic.symbol)
    if topic.channel in BOOK_UNITS:
        return RestRequest("liveness", f"{ORDERBOOK_PATH}?markets={market}")
    return RestRequest("liveness", f"{TRADES_PATH}?market={market}&count=1")


def liveness_token(topic: Topic, body: bytes) -> str:
    """Return text of an answer that differs if `topic` has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is empty.
    """
    if topic.channel in BOOK_UNITS:
        books = decode_liveness_book(body)
        units = [book.orderbook_units[:1] for book in books]
        if not units:
            raise ValueError("no order book")
        return str(units)
    trades = decode_liveness_trades(body)
    if not trades:
        raise ValueError("no trade")
    return str(trades[0].sequential_id)
