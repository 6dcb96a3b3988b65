"""Past trades by REST: the request for a page, and the trades in its answer.

Source: ``rest-api.md``, "Old trade lookup" and "Compressed/Aggregate trades list".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from foxtrot_protocol.events import Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.binance.constants import HISTORY_TRADES, MS
from foxtrot_workers.exchanges.binance.messages import (
    AggTradeData,
    PastTradeRow,
    decode_past_agg_trades,
    decode_past_trades,
)

__all__ = ["history_request", "parse_history"]


def history_request(prefix: str, symbol: str, endpoint: str, weight: int, first_id: int, last_id: int) -> RestRequest:
    """Return the request for trades `first_id` to `last_id`, or for a first page of them.

    It asks for one trade more than that: if it comes, nothing is missing between.
    """
    limit = min(last_id - first_id + 2, HISTORY_TRADES)
    path = f"{prefix}/{endpoint}?symbol={quote(symbol)}&fromId={first_id}&limit={limit}"
    return RestRequest(f"trades {symbol}", path, weight)


def parse_history(exchange: str, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
    """Return the trades in the answer to the request `path`. Raises `msgspec.DecodeError`.

    REST times are milliseconds, whatever unit the stream has.
    """
    parts = urlsplit(path)
    symbol = parse_qs(parts.query).get("symbol", [""])[0]
    decode: Callable[[bytes], Sequence[PastTradeRow | AggTradeData[Any]]]
    decode = decode_past_agg_trades if parts.path.endswith("/aggTrades") else decode_past_trades
    try:
        rows = decode(body)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None
    return [
        Trade(
            exchange,
            symbol,
            row.time * MS,
            receive_ns,
            row.price,
            row.size,
            "sell" if row.buyer_is_maker else "buy",
            str(row.trade_id),
        )
        for row in rows
    ]
