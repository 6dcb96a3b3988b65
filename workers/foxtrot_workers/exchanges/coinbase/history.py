"""Past trades by REST: the request for a page, and the trades in its answer.

Source: "Get product trades", "Pagination". Pages run backwards, from the last trade asked for.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote, urlsplit

import msgspec

from foxtrot_protocol.events import Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.adapter.iso_time import iso_ns
from foxtrot_workers.exchanges.coinbase.constants import HISTORY_TRADES, PRODUCTS_PATH
from foxtrot_workers.exchanges.coinbase.messages import decode_past_trades

__all__ = ["TAKER_SIDES", "history_request", "parse_history"]

TAKER_SIDES: dict[str, Literal["buy", "sell"]] = {"buy": "sell", "sell": "buy"}
"""The taker's side by the maker's, which messages and answers name."""


def history_request(product: str, last_id: int) -> RestRequest:
    """Return the request for the page of trades that ends with `last_id`."""
    # "after" means older than
    path = f"{PRODUCTS_PATH}/{quote(product, safe='')}/trades?after={last_id + 1}&limit={HISTORY_TRADES}"
    return RestRequest(f"trades {product}", path)


def parse_history(exchange: str, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
    """Return the trades in an answer to `path`.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
    """
    try:
        rows = decode_past_trades(body)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(str(error)) from None
    product = urlsplit(path).path.split("/")[-2]
    return [
        Trade(
            exchange,
            product,
            iso_ns(row.time),
            receive_ns,
            row.price,
            row.size,
            TAKER_SIDES[row.side],
            str(row.trade_id),
        )
        for row in rows
    ]
