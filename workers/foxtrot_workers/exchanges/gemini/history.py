"""Past trades by REST: the request for a page, and the trades in its answer.

Source: "List Trades". Pages run forward, from the first trade asked for; an answer lists its trades newest first.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import msgspec

from foxtrot_protocol.events import Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.gemini.constants import HISTORY_PATH, HISTORY_TRADES, MS
from foxtrot_workers.exchanges.gemini.messages import decode_past_trades

__all__ = ["history_request", "parse_history"]


def history_request(symbol: str, first_id: int) -> RestRequest:
    """Return the request for the page of trades that starts with `first_id`."""
    path = f"{HISTORY_PATH}/{quote(symbol, safe='')}?since_tid={first_id - 1}&limit_trades={HISTORY_TRADES}"
    return RestRequest(f"trades {symbol}", path)


def parse_history(exchange: str, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
    """Return the trades in an answer to `path`. Those of auctions and blocks have no taker, and are left out.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
    """
    try:
        rows = decode_past_trades(body)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None
    symbol = urlsplit(path).path.rpartition("/")[2]
    return [
        Trade(
            exchange,
            symbol,
            row.time * MS,
            receive_ns,
            row.price,
            row.size,
            "buy" if row.side == "buy" else "sell",
            str(row.trade_id),
        )
        for row in rows
        if row.side in ("buy", "sell")
    ]
