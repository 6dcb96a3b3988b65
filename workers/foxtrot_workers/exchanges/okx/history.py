"""Past trades by REST: the request for a page, and the trades in its answer.

Source: "Get trades history". Pages run backwards, from the last trade asked for.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from foxtrot_protocol.events import Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.okx.constants import HISTORY_PATH, HISTORY_TRADES, HISTORY_WEIGHT, MS
from foxtrot_workers.exchanges.okx.messages import decode_past_trades

__all__ = ["history_request", "parse_history"]


def history_request(symbol: str, last_id: int) -> RestRequest:
    """Return the request for the page of trades that ends with `last_id`."""
    # "after" means older than
    path = f"{HISTORY_PATH}?instId={quote(symbol)}&type=1&after={last_id + 1}&limit={HISTORY_TRADES}"
    return RestRequest(f"trades {symbol}", path, HISTORY_WEIGHT)


def parse_history(exchange: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
    """Return the trades in an answer, one for each fill, where the stream may have merged several.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal.
    """
    try:
        answer = decode_past_trades(body)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None
    if str(answer.code) != "0":
        raise ValueError(f"{answer.code}: {answer.msg}")
    return [
        Trade(
            exchange,
            row.instrument,
            row.time * MS,
            receive_ns,
            row.price,
            row.size,
            row.side,
            row.trade_id,
        )
        for row in answer.data
    ]
