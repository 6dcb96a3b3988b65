"""Past trades by REST: the request for a page, and the trades in its answer.

Source: "Get the Most Recent Trades" and its counterparts of swaps. Only the newest trades are offered: a page ends at
the present, and a gap that is older than its first trade stays open.
"""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from foxtrot_protocol.events import Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.adapter.number_text import number_text
from foxtrot_workers.exchanges.huobi.constants import HISTORY_TRADES, MS
from foxtrot_workers.exchanges.huobi.messages import PastTradeRow, decode_past_trades

__all__ = ["history_request", "parse_history"]


def history_request(symbol: str, path: str) -> RestRequest:
    """Return the request for the newest trades; `path` is that of the market, up to the symbol."""
    return RestRequest(f"trades {symbol}", f"{path}{quote(symbol)}&size={HISTORY_TRADES}")


def parse_history(exchange: str, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
    """Return the trades in the answer to the request `path`.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal.
    """
    query = parse_qs(urlsplit(path).query)
    symbol = (query.get("symbol") or query.get("contract_code") or [""])[0]
    try:
        answer = decode_past_trades(body)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None
    if answer.status != "ok":
        raise ValueError(f"{answer.status}: {answer.error_text}")
    return [
        Trade(
            exchange,
            symbol,
            row.time * MS,
            receive_ns,
            number_text(row.price),
            number_text(row.amount),
            row.direction,
            _id_of(row),
        )
        for trades in answer.data
        for row in trades.data
    ]


def _id_of(row: PastTradeRow) -> str:
    short = row.hyphen_id if row.hyphen_id is not None else row.short_id
    return number_text(row.id) if short is None else str(short)
