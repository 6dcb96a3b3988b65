"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.binance.constants import (
    BOOK_CHANNELS,
    LIVENESS_LEVELS,
    Rest,
)
from foxtrot_workers.exchanges.binance.messages import decode_partial_book, decode_past_agg_trades

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(rest: Rest, topic: Topic) -> RestRequest:
    """Request the best levels for quotes and books, the newest trade for all other channels."""
    symbol = quote(topic.symbol)
    if _is_of_book(topic):
        path = f"{rest.prefix}/depth?symbol={symbol}&limit={LIVENESS_LEVELS}"
        return RestRequest("liveness", path, rest.liveness_weight)
    return RestRequest("liveness", f"{rest.prefix}/aggTrades?symbol={symbol}&limit=1", rest.agg_trades_weight)


def liveness_token(topic: Topic, body: bytes) -> str:
    """Return text of an answer that differs if `topic` has new data. Raises `msgspec.DecodeError`."""
    if not _is_of_book(topic):
        return " ".join(str(row.trade_id) for row in decode_past_agg_trades(body))
    book = decode_partial_book(body)
    if topic.channel == "book":
        return str(book.last_id)
    shown = 1 if topic.channel == "quote" else LIVENESS_LEVELS
    return f"{book.bids[:shown]} {book.asks[:shown]}"


def _is_of_book(topic: Topic) -> bool:
    return topic.channel == "quote" or topic.channel in BOOK_CHANNELS
