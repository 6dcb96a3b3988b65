"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.kucoin.constants import BOOK_CHANNELS
from foxtrot_workers.exchanges.kucoin.messages import decode_liveness_quote, decode_liveness_trades

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic, *, trades_path: str, quote_path: str) -> RestRequest | None:
    """Request the best levels for quotes and books, the newest trades for trades and bars; None for other channels."""
    if topic.channel in BOOK_CHANNELS or topic.channel in ("quote", "ticker"):
        return RestRequest("liveness", f"{quote_path}?symbol={quote(topic.symbol)}", 2)
    if topic.channel == "trade" or topic.channel.startswith("bar_"):
        return RestRequest("liveness", f"{trades_path}?symbol={quote(topic.symbol)}", 3)
    return None


def liveness_token(topic: Topic, body: bytes) -> str:
    """Return text of an answer that differs if `topic` has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal, or empty.
    """
    if topic.channel == "trade" or topic.channel.startswith("bar_"):
        trades = decode_liveness_trades(body)
        if not trades.data:
            raise ValueError(f"{trades.code}: {trades.msg}")
        return str(max(row.sequence for row in trades.data))
    best = decode_liveness_quote(body)
    if best.data is None:
        raise ValueError(f"{best.code}: {best.msg}")
    return str(best.data.sequence)
