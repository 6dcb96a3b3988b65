"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.bitstamp.constants import BOOK_CHANNELS, TICKER_PATH
from foxtrot_workers.exchanges.bitstamp.messages import decode_ticker

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic) -> RestRequest | None:
    """Request the ticker of trades and books; None for all other channels."""
    if topic.channel == "trade" or topic.channel in BOOK_CHANNELS:
        return RestRequest("liveness", f"{TICKER_PATH}{quote(topic.symbol)}/")
    return None


def liveness_token(topic: Topic, body: bytes) -> str:
    """Return text of an answer that differs if `topic` has new data. Raises `msgspec.DecodeError`."""
    ticker = decode_ticker(body)
    trades = f"{ticker.last} {ticker.volume}"
    return trades if topic.channel == "trade" else f"{trades} {ticker.bid} {ticker.ask}"
