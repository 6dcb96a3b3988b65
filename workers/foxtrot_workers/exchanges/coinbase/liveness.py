"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.coinbase.constants import PRODUCTS_PATH
from foxtrot_workers.exchanges.coinbase.messages import decode_best_levels, decode_past_trades

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic) -> RestRequest:
    """Request the best levels for a book, and the newest trade for everything else."""
    what = "book?level=1" if topic.channel == "book" else "trades?limit=1"
    return RestRequest("liveness", f"{PRODUCTS_PATH}/{quote(topic.symbol, safe='')}/{what}")


def liveness_token(topic: Topic, body: bytes) -> str:
    """Return text of an answer that differs if `topic` has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: it has no trades.
    """
    if topic.channel == "book":
        levels = decode_best_levels(body)
        return (bytes(levels.bids) + bytes(levels.asks)).decode(errors="replace")
    trades = decode_past_trades(body)
    if not trades:
        raise ValueError("no trades")
    return str(trades[0].trade_id)
