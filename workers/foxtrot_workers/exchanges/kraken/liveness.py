"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.kraken.constants import BOOK_DEPTHS, DEPTH_PATH, HISTORY_PATH
from foxtrot_workers.exchanges.kraken.messages import decode_rest

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic) -> RestRequest:
    """Request the best levels for books and quotes, and the newest trade for everything that follows trades."""
    path = DEPTH_PATH if topic.channel in BOOK_DEPTHS or topic.channel == "quote" else HISTORY_PATH
    count = 10 if topic.channel in BOOK_DEPTHS else 1
    return RestRequest("liveness", f"{path}?pair={quote(topic.symbol, safe='')}&count={count}")


def liveness_token(body: bytes) -> str:
    """Return text of an answer that differs if its topic has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal, or empty.
    """
    answer = decode_rest(body)
    if answer.error or not bytes(answer.result):
        raise ValueError(f"refused: {answer.error}")
    return bytes(answer.result).decode(errors="replace")
