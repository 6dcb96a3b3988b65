"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.gemini.constants import HISTORY_PATH
from foxtrot_workers.exchanges.gemini.messages import decode_past_trades, decode_rest_book

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic) -> RestRequest:
    """Request the newest trade for trades, and the best levels for everything else."""
    symbol = quote(topic.symbol, safe="")
    if topic.channel == "trade":
        return RestRequest("liveness", f"{HISTORY_PATH}/{symbol}?limit_trades=1")
    return RestRequest("liveness", f"/v1/book/{symbol}?limit_bids=5&limit_asks=5")


def liveness_token(topic: Topic, body: bytes) -> str:
    """Return text of an answer that differs if `topic` has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: it has no trades.
    """
    if topic.channel != "trade":
        return str(decode_rest_book(body))
    trades = decode_past_trades(body)
    if not trades:
        raise ValueError("no trades")
    return str(trades[0].trade_id)
