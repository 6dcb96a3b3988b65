"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.dydx.constants import LIVENESS_PATHS
from foxtrot_workers.exchanges.dydx.messages import decode_liveness

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic) -> RestRequest:
    """Request the newest trade, the book or the figures of the market, as the channel needs."""
    return RestRequest("liveness", LIVENESS_PATHS[topic.channel].format(quote(topic.symbol)))


def liveness_token(body: bytes) -> str:
    """Return text of an answer that differs if its topic has new data. Raises `msgspec.DecodeError`."""
    answer = decode_liveness(body)
    rows = [{name: bytes(value) for name, value in row.items()} for row in (*answer.trades, *answer.bids, *answer.asks)]
    return f"{rows} {answer.markets}"
