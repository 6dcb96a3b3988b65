"""The simulated exchanges on which campaigns run: names, addresses, and what can be promised of each. Pure."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

__all__ = ["VENUES", "Venue"]

_QUOTE: Final = "USDT"
"""Symbols of campaigns end with it."""


class Venue(Struct, frozen=True, kw_only=True):
    """One exchange as campaigns use it."""

    exchange: str
    """Name in the configuration, and of the protocol that the simulated exchange speaks."""
    trade_stream: str
    """Name of the trades of a symbol in the exchange's ledger; ``{}`` stands for the symbol."""
    separator: str = ""
    """Between base and quote of a symbol."""
    path: str = ""
    """Added to the address of the simulated exchange."""
    quotes: str = "quote"
    """Channel with the best bid and ask."""
    backfills: bool = True
    """Whether missed trades can be fetched by identifier: else they stay announced."""
    ordered_trades: bool = True
    """Whether identifiers of trades have an order: else what one of two dead workers has left may come after what its
    successors bring."""
    dense_books: bool = True
    """Whether each update of a book follows its predecessor's identifier without a leap."""
    numbered_books: bool = True
    """Whether book updates have identifiers: else a book is taken from one of two workers, and begins again with a
    snapshot when that one dies."""

    def spelled(self, symbol: str) -> str:
        """Return `symbol`, such as ``LOAD0USDT``, as the exchange writes it."""
        return f"{symbol.removesuffix(_QUOTE)}{self.separator}{_QUOTE}"

    def traded_symbol(self, stream: str) -> str | None:
        """Return the symbol whose trades are `stream` of the ledger; None for any other stream."""
        before, _, after = self.trade_stream.partition("{}")
        if not stream.startswith(before) or not stream.endswith(after) or " " in stream:
            return None
        return stream[len(before) : len(stream) - len(after)].upper()

    @property
    def trade_topic(self) -> str:
        """Part of the names of trade streams, and of no others."""
        before, _, after = self.trade_stream.partition("{}")
        return before or after


VENUES: Final = {
    venue.exchange: venue
    for venue in (
        Venue(exchange="binance", trade_stream="{}@trade"),
        Venue(exchange="okx", trade_stream="channel=trades/instId={}", separator="-", dense_books=False),
        Venue(exchange="bybit", trade_stream="spot/publicTrade.{}", backfills=False, ordered_trades=False),
        Venue(exchange="coinbase", trade_stream="matches:{}", separator="-", quotes="ticker", numbered_books=False),
        Venue(exchange="kraken", trade_stream="trade/{}", separator="/", path="/v2", numbered_books=False),
    )
}
"""By name, `binance` first."""
