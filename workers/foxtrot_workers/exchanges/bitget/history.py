"""Past trades by REST: the request for a page, and the trades in its answer.

Source: "Get Market Trades" of spot and of futures, the last 90 days. Pages run backwards, from the last trade wanted.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from foxtrot_protocol.events import Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.bitget.constants import HISTORY_TRADES, MS, SUCCESS_CODE
from foxtrot_workers.exchanges.bitget.messages import decode_past_trades

__all__ = ["history_request", "parse_history"]

_WEIGHT = 2
"""10 requests a second are allowed, half of the requests that weigh 1."""


def history_request(prefix: str, symbol: str, product: str, last_id: int) -> RestRequest:
    """Return the request for the page of trades that ends with `last_id`.

    Args:
        prefix: of the REST paths.
        symbol: of the trades.
        product: further parameters of the query; "" for none.
        last_id: identifier of the newest trade asked for.
    """
    query = f"symbol={quote(symbol)}{product}&limit={HISTORY_TRADES}&idLessThan={last_id + 1}"
    return RestRequest(f"trades {symbol}", f"{prefix}/fills-history?{query}", _WEIGHT)


def parse_history(exchange: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
    """Return the trades in an answer.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal.
    """
    try:
        answer = decode_past_trades(body)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None
    if answer.code != SUCCESS_CODE or answer.data is None:
        raise ValueError(f"{answer.code}: {answer.msg}")
    return [
        Trade(
            exchange,
            row.symbol,
            row.time * MS,
            receive_ns,
            row.price,
            row.size,
            "buy" if row.side in ("buy", "Buy") else "sell",
            str(row.trade_id),
        )
        for row in answer.data
    ]
