"""Past trades by REST: the request, and the trades in its answer ("Transactions").

There are no pages: the exchange offers the trades of the last minute, hour or day.
"""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

import msgspec

from foxtrot_protocol.events import Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.bitstamp.constants import HISTORY_PATH, S
from foxtrot_workers.exchanges.bitstamp.messages import decode_past_trades

__all__ = ["history_request", "parse_history"]


def history_request(symbol: str) -> RestRequest:
    """Return the request for the trades of the last hour."""
    return RestRequest(f"trades {symbol}", f"{HISTORY_PATH}{quote(symbol)}/?time=hour")


def parse_history(exchange: str, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
    """Return the trades in the answer to the request `path`; their times are whole seconds.

    Raises `msgspec.DecodeError` where the answer cannot be decoded.
    """
    symbol = unquote(urlsplit(path).path.removeprefix(HISTORY_PATH).strip("/"))
    try:
        rows = decode_past_trades(body)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None
    return [
        Trade(
            exchange,
            symbol,
            row.seconds * S,
            receive_ns,
            row.price,
            row.size,
            "sell" if row.type else "buy",
            row.id,
        )
        for row in rows
    ]
