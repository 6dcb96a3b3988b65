"""Cheap REST requests that show whether a topic has new data: they tell a dead stream from a quiet market."""

from __future__ import annotations

from urllib.parse import quote

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.deribit.constants import REST_PATH
from foxtrot_workers.exchanges.deribit.messages import decode_liveness

__all__ = ["liveness_request", "liveness_token"]


def liveness_request(topic: Topic) -> RestRequest:
    """Request the newest trade or the book's change id, as the channel needs."""
    instrument = quote(topic.symbol)
    if topic.channel in ("trade", "liquidation") or topic.channel.startswith("bar_"):
        path = f"get_last_trades_by_instrument?instrument_name={instrument}&count=1"
    else:
        path = f"get_order_book?instrument_name={instrument}&depth=1"
    return RestRequest("liveness", REST_PATH + path)


def liveness_token(body: bytes) -> str:
    """Return text of an answer that differs if the topic has new data.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal.
    """
    answer = decode_liveness(body)
    if answer.result is None:
        raise ValueError("no result" if answer.error is None else f"{answer.error.code}: {answer.error.message}")
    newest = answer.result.trades[0].get("trade_id") if answer.result.trades else None
    return f"{answer.result.change_id} {newest}"
