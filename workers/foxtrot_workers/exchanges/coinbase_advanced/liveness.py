"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.coinbase_advanced.constants import BOOK_PATH, PRODUCTS_PATH
from foxtrot_workers.exchanges.coinbase_advanced.messages import decode_book_answer, decode_past_trades

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic) -> RestRequest:
    """Request the best levels for a book, and the newest trade for everything else."""
    product = quote(topic.symbol, safe="")
    if topic.channel == "book":
        return RestRequest("liveness", f"{BOOK_PATH}?product_id={product}&limit=5")
    return RestRequest("liveness", f"{PRODUCTS_PATH}/{product}/ticker?limit=1")


def liveness_token(topic: Topic, body: bytes) -> str:
    """Return text of an answer that differs if `topic` has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: it has no trades.
    """
    if topic.channel == "book":
        book = decode_book_answer(body).book
        return (bytes(book.bids) + bytes(book.asks)).decode(errors="replace")
    trades = decode_past_trades(body).trades
    if not trades:
        raise ValueError("no trades")
    return trades[0].trade_id
