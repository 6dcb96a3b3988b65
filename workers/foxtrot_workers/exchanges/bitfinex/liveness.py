"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.bitfinex.messages import decode_array

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic) -> RestRequest | None:
    """Request the newest trade, or the ticker, as the channel needs; None for all other channels."""
    symbol = quote(topic.symbol)
    if topic.channel == "trade" or topic.channel.startswith("bar_"):
        return RestRequest("liveness", f"/v2/trades/{symbol}/hist?limit=1")
    if topic.channel == "ticker" or topic.channel.startswith("book"):
        return RestRequest("liveness", f"/v2/ticker/{symbol}")
    return None


def liveness_token(body: bytes) -> str:
    """Return text of an answer that differs if the topic has new data: it holds no time of its own.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal, or empty.
    """
    values = decode_array(body)
    if not values or values[0] == "error":
        raise ValueError(f"refused: {values[1:]}"[:200])
    return str(values)
