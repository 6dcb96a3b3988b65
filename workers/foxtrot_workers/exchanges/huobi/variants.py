"""HTX swaps, coin-margined and USDT-margined: the protocol of spot at other addresses, with other fields.

Documents: HTX API, "Coin Margined Swaps" and "USDT Margined Contracts".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_FUNDING,
    EVENT_LIQUIDATION,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    EVENT_TICKER,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import VenueFacts
from foxtrot_workers.exchanges.huobi.adapter import Huobi
from foxtrot_workers.exchanges.huobi.constants import (
    FACTS_SWAP,
    INDEX_CHANNELS,
    INDEX_PATH,
    NOTIFICATION_CHANNELS,
    SWAP_CHAINED_BOOK_CHANNELS,
    SWAP_CHANNELS,
    SWAP_PARTIAL_BOOK_CHANNELS,
)
from foxtrot_workers.exchanges.huobi.instruments import (
    contracts_path,
    is_coin_margined,
    parse_contracts,
    swap_instrument,
)
from foxtrot_workers.exchanges.huobi.parsers import SWAP_PARSERS, Factory

__all__ = ["HuobiSwap"]

_COIN_PATHS = ("/swap-ws", "/swap-notification")
_LINEAR_PATHS = ("/linear-swap-ws", "/linear-swap-notification")
"""Paths of market data and of notifications."""


class HuobiSwap(Huobi):
    """``exchange = "huobi_swap"``: ``BTC-USD`` is coin-margined, ``BTC-USDT`` and its delivery contracts USDT-margined.

    The two kinds, and within them market data, notifications (funding, liquidations) and index data (mark price), are
    served at different paths: each needs a connection of its own. Open interest is offered by REST only.
    """

    name: ClassVar[str] = "huobi_swap"
    exchange: ClassVar[str] = "HUOBI_SWAP"
    channels: ClassVar[frozenset[str]] = frozenset(SWAP_CHANNELS)
    url: ClassVar[str] = "wss://api.hbdm.com/linear-swap-ws"
    rest_url: ClassVar[str] = "https://api.hbdm.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"api.hbdm.vn", "api.btcgateway.pro"})
    symbol_case: ClassVar[SymbolCase] = "upper"
    facts: ClassVar[VenueFacts | None] = FACTS_SWAP
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "increasing",  # ids are those of orders, with a counter behind them
        EVENT_BBO: "latest",
        EVENT_BOOK: "latest",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
        EVENT_LIQUIDATION: "content",
    }
    wire_names: ClassVar[Mapping[str, str]] = SWAP_CHANNELS
    partial_books: ClassVar[frozenset[str]] = SWAP_PARTIAL_BOOK_CHANNELS
    chained_books: ClassVar[frozenset[str]] = SWAP_CHAINED_BOOK_CHANNELS
    incremental: ClassVar[frozenset[str]] = SWAP_CHAINED_BOOK_CHANNELS
    paths: ClassVar[frozenset[str]] = frozenset({*_COIN_PATHS, *_LINEAR_PATHS, INDEX_PATH})
    factories: ClassVar[Mapping[str, Factory]] = SWAP_PARSERS

    def path_of(self, channel: str, symbol: str) -> str:
        if channel in INDEX_CHANNELS:
            return INDEX_PATH
        paths = _COIN_PATHS if is_coin_margined(symbol) else _LINEAR_PATHS
        return paths[channel in NOTIFICATION_CHANNELS]

    def wire_of(self, channel: str, symbol: str) -> str:
        kind = "public" if channel in NOTIFICATION_CHANNELS else "market"
        return f"{kind}.{symbol}.{self.wire_names[channel]}"

    def rest_path(self, what: str, symbol: str) -> str:
        market = "swap-ex" if is_coin_margined(symbol) else "linear-swap-ex"
        return f"/{market}/market/{what}?{'type=step0&' if what == 'depth' else ''}contract_code="

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return contracts_path(symbols)

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_contracts(body)

    def instrument(self, symbol: str) -> str:
        """The name itself says base, quote and date."""
        return swap_instrument(symbol)
