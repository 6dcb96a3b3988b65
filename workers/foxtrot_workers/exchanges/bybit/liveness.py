"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.bybit.constants import LIVENESS_PATHS
from foxtrot_workers.exchanges.bybit.messages import decode_liveness

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(category: str, topic: Topic) -> RestRequest | None:
    """Request the newest trade, the best levels or the ticker, as the channel needs; None for all other channels."""
    path = LIVENESS_PATHS.get(topic.channel)
    if path is None:
        return None
    return RestRequest("liveness", f"{path}category={category}&symbol={quote(topic.symbol)}")


def liveness_token(body: bytes) -> str:
    """Return text of an answer that differs if its topic has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal.
    """
    answer = decode_liveness(body)
    if answer.code or answer.result is None:
        raise ValueError(f"{answer.code}: {answer.text}")
    result = answer.result
    rows = [{name: bytes(value) for name, value in row.items()} for row in result.rows]
    return f"{result.bids} {result.asks} {rows}"
