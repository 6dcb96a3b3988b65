"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.bitget.constants import BOOK_CHANNELS
from foxtrot_workers.exchanges.bitget.messages import decode_levels, decode_past_trades

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic, prefix: str, book: str, product: str) -> RestRequest | None:
    """Request the best levels for quotes and books, the newest trade for trades and bars; None for other channels.

    Args:
        topic: that is silent.
        prefix: of the REST paths.
        book: endpoint of books.
        product: further parameters of the query; "" for none.
    """
    query = f"symbol={quote(topic.symbol)}{product}&limit=1"
    if topic.channel in BOOK_CHANNELS or topic.channel == "quote":
        return RestRequest("liveness", f"{prefix}/{book}?{query}")
    if topic.channel == "trade" or topic.channel.startswith("bar_"):
        return RestRequest("liveness", f"{prefix}/fills?{query}", 2)
    return None


def liveness_token(topic: Topic, body: bytes) -> str:
    """Return text of an answer that differs if `topic` has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal, or empty.
    """
    if topic.channel == "trade" or topic.channel.startswith("bar_"):
        trades = decode_past_trades(body)
        if not trades.data:
            raise ValueError(f"{trades.code}: {trades.msg}")
        return str(trades.data[0].trade_id)
    levels = decode_levels(body)
    if levels.data is None:
        raise ValueError(f"{levels.code}: {levels.msg}")
    return f"{list(map(bytes, levels.data.bids))} {list(map(bytes, levels.data.asks))}"
