"""Past trades by REST: the request for a page, and the trades in its answer.

Source: "Get Public Market Trades". Pages run backwards, from a time in whole seconds.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from foxtrot_protocol.events import Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.adapter.iso_time import iso_ns
from foxtrot_workers.exchanges.coinbase_advanced.constants import HISTORY_MARGIN_S, HISTORY_TRADES, PRODUCTS_PATH
from foxtrot_workers.exchanges.coinbase_advanced.messages import decode_past_trades

__all__ = ["History"]

_S = 1_000_000_000


class _Page(Struct):
    """Where the latest page of a product began."""

    first_id: int
    first_ns: int


class History:
    """Requests for past trades of one connection, and their answers."""

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self._pages: dict[str, _Page] = {}

    def request(self, product: str, last_id: int, start_ns: int, end_ns: int) -> RestRequest:
        """Return the request for a page that ends with the trade `last_id`, or later.

        Args:
            product: its identifier.
            last_id: last identifier that is missing.
            start_ns: receive time of the last trade before all that was missing at first; 0 if unknown.
            end_ns: receive time of the first trade after it.
        """
        page = self._pages.get(product)
        if page is not None and page.first_id == last_id + 1:
            end_ns = page.first_ns  # the second of its first trade is repeated, so none is left out
        start_s = max(0, start_ns // _S - HISTORY_MARGIN_S)
        end_s = end_ns // _S + 1
        path = f"{PRODUCTS_PATH}/{quote(product, safe='')}/ticker?limit={HISTORY_TRADES}&start={start_s}&end={end_s}"
        return RestRequest(f"trades {product}", path)

    def parse(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        """Return the trades in an answer to `path`.

        Raises:
            msgspec.DecodeError: the answer cannot be decoded.
        """
        try:
            rows = decode_past_trades(body).trades
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None
        product = urlsplit(path).path.split("/")[-2]
        trades = [
            Trade(
                self._exchange,
                product,
                iso_ns(row.time),
                receive_ns,
                row.price,
                row.size,
                "buy" if row.side == "BUY" else "sell",
                row.trade_id,
            )
            for row in rows
        ]
        if trades:
            first = min(trades, key=lambda trade: int(trade.trade_id))
            self._pages[product] = _Page(int(first.trade_id), first.exchange_ns)
        return trades
