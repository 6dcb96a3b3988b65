"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.kraken_futures.constants import ORDERBOOK_PATH, TICKERS_PATH
from foxtrot_workers.exchanges.kraken_futures.messages import decode_rest_book, decode_rest_tickers

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic) -> RestRequest:
    """Request the book for a book, and the tickers for everything else."""
    if topic.channel == "book":
        return RestRequest("liveness", f"{ORDERBOOK_PATH}?symbol={quote(topic.symbol, safe='')}")
    return RestRequest("liveness", TICKERS_PATH)


def liveness_token(topic: Topic, body: bytes) -> str:
    """Return text of an answer that differs if `topic` has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: it has nothing about the topic.
    """
    if topic.channel == "book":
        book = bytes(decode_rest_book(body).book)
        if not book:
            raise ValueError("no book")
        return book.decode(errors="replace")
    for row in decode_rest_tickers(body).tickers:
        if row.symbol.upper() == topic.symbol:
            if topic.channel in ("trade", "liquidation"):
                return row.last_time
            return f"{row.last} {row.bid} {row.ask} {row.mark_price}"
    raise ValueError(f"no ticker of {topic.symbol}")
