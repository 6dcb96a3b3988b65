"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.okx.constants import LIVENESS_PATHS
from foxtrot_workers.exchanges.okx.messages import decode_liveness

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic) -> RestRequest | None:
    """Request the newest trade, the best levels or the ticker, as the channel needs; None for all other channels."""
    path = LIVENESS_PATHS.get(topic.channel)
    return None if path is None else RestRequest("liveness", f"{path}instId={quote(topic.symbol)}")


def liveness_token(topic: Topic, body: bytes) -> str:
    """Return text of an answer that differs if `topic` has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal, or empty.
    """
    answer = decode_liveness(body)
    if str(answer.code) != "0" or not answer.data:
        raise ValueError(f"{answer.code}: {answer.msg}")
    return str(answer.data[0])
