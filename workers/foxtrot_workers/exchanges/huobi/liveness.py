"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.huobi.constants import INTERVALS
from foxtrot_workers.exchanges.huobi.messages import decode_liveness

__all__ = ["liveness_request", "liveness_token"]

_BY_TRADES = frozenset({"trade", *(f"bar_{interval}" for interval in INTERVALS)})
_BY_BOOK = ("quote", "book", "ticker")
"""Beginnings of channels that move with the book."""


def liveness_request(topic: Topic, trade_path: str, depth_path: str) -> RestRequest | None:
    """Request the newest trade or the best levels, as the channel needs; None for all other channels.

    Args:
        topic: the silent topic.
        trade_path: REST path of the newest trade, up to the symbol.
        depth_path: the same of the book.
    """
    if topic.channel in _BY_TRADES:
        return RestRequest("liveness", trade_path + quote(topic.symbol))
    if topic.channel.startswith(_BY_BOOK):
        return RestRequest("liveness", depth_path + quote(topic.symbol))
    return None


def liveness_token(body: bytes) -> str:
    """Return text of an answer that differs if the topic has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal.
    """
    answer = decode_liveness(body)
    if answer.status != "ok" or answer.tick is None:
        raise ValueError(f"{answer.status}: {answer.error_text}")
    tick = answer.tick
    return f"{tick.id} {tick.bids and tick.bids[:1]} {tick.asks and tick.asks[:1]}"
