"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.gateio.constants import BOOK_CHANNELS
from foxtrot_workers.exchanges.gateio.messages import decode_futures_book, decode_spot_book

__all__ = ["liveness_request", "liveness_token"]

_decode_rows = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


def liveness_request(topic: Topic, prefix: str, key: str) -> RestRequest | None:
    """Request the best levels for quotes and books, the newest trade for trades and bars; None for other channels.

    Args:
        topic: that is silent.
        prefix: of the REST paths.
        key: the parameter that names the symbol.
    """
    symbol = f"{key}={quote(topic.symbol)}"
    if topic.channel in BOOK_CHANNELS or topic.channel == "quote":
        return RestRequest("liveness", f"{prefix}/order_book?{symbol}&limit=1&with_id=true")
    if topic.channel == "trade" or topic.channel.startswith("bar_"):
        return RestRequest("liveness", f"{prefix}/trades?{symbol}&limit=1")
    return None


def liveness_token(topic: Topic, body: bytes, *, futures: bool) -> str:
    """Return text of an answer that differs if `topic` has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is empty.
    """
    if topic.channel == "trade" or topic.channel.startswith("bar_"):
        rows = _decode_rows(body)
        if not rows or "id" not in rows[0]:
            raise ValueError("no trade in the answer")
        return bytes(rows[0]["id"]).decode()
    book = decode_futures_book(body) if futures else decode_spot_book(body)
    return str(book.id)
