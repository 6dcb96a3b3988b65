"""Past trades by REST: the request for a page, and the trades in its answer.

Source: "Get Recent Trades". Pages run forward from a time; an answer says where the next one starts.
"""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import msgspec
from msgspec import Struct

from foxtrot_protocol.events import Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.adapter.number_text import number_text
from foxtrot_workers.exchanges.kraken.constants import HISTORY_MARGIN_S, HISTORY_PATH, HISTORY_TRADES
from foxtrot_workers.exchanges.kraken.messages import decode_past_trades, seconds_ns

__all__ = ["History"]


class _Page(Struct):
    """Where the latest page of a symbol ended."""

    last_id: int
    next_ns: int


class History:
    """Requests for past trades of one connection, and their answers."""

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self._pages: dict[str, _Page] = {}

    def request(self, symbol: str, first_id: int, start_ns: int) -> RestRequest:
        """Return the request for a page with the trade `first_id`, or for one on the way to it.

        Args:
            symbol: the pair.
            first_id: first identifier that is missing.
            start_ns: receive time of the last trade before all that was missing at first; 0 if unknown.
        """
        since_ns = max(0, start_ns - HISTORY_MARGIN_S * 1_000_000_000)
        page = self._pages.get(symbol)
        if page is not None and page.last_id < first_id:
            # a busy pair has more trades before the gap than one page; the last trade of a page is repeated, so that
            # none of the same time is left out
            follows = page.last_id == first_id - 1
            since_ns = page.next_ns - 1 if follows else max(since_ns, page.next_ns - 1)
        path = f"{HISTORY_PATH}?pair={quote(symbol, safe='')}&since={since_ns}&count={HISTORY_TRADES}"
        return RestRequest(f"trades {symbol}", path)

    def parse(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        """Return the trades in an answer to `path`.

        Raises:
            msgspec.DecodeError: the answer cannot be decoded.
            ValueError: the answer is a refusal.
        """
        try:
            answer = decode_past_trades(body)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None
        if answer.error:
            raise ValueError(", ".join(answer.error)[:300])
        (symbol,) = parse_qs(urlsplit(path).query).get("pair", [""])
        trades = [
            Trade(
                self._exchange,
                symbol,
                seconds_ns(number_text(row.time)),
                receive_ns,
                row.price,
                row.size,
                "buy" if row.side == "b" else "sell",
                str(row.trade_id),
            )
            for rows in answer.result.values()
            if not isinstance(rows, str)
            for row in rows
        ]
        if trades:
            latest = max(trades, key=lambda trade: int(trade.trade_id))
            self._pages[symbol] = _Page(int(latest.trade_id), latest.exchange_ns)
        return trades
