"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.crypto_com.constants import BOOK_CHANNELS
from foxtrot_workers.exchanges.crypto_com.messages import decode_rest

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic) -> RestRequest | None:
    """Request the best levels for a book, the newest trade for what follows trades; None for all other channels."""
    name = quote(topic.symbol, safe="")
    if topic.channel in BOOK_CHANNELS:
        return RestRequest("liveness", f"/public/get-book?instrument_name={name}&depth=10")
    if topic.channel in ("trade", "ticker") or topic.channel.startswith("bar_"):
        return RestRequest("liveness", f"/public/get-trades?instrument_name={name}&count=1")
    return None


def liveness_token(body: bytes) -> str:
    """Return text of an answer that differs if its topic has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal, or empty.
    """
    answer = decode_rest(body)
    if answer.code != 0 or answer.result is None or not answer.result.data:
        raise ValueError(f"code {answer.code}")
    row = answer.result.data[0]
    return b"|".join(map(bytes, (row.trade_id, row.bids, row.asks))).decode(errors="replace")
