"""Venues that speak Binance spot's protocol, or nearly so: Binance.US, Binance futures, and the simulated exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import structs

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_FUNDING,
    EVENT_LIQUIDATION,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    EVENT_TICKER,
    MarketEvent,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.instruments import Instrument
from foxtrot_workers.adapter import Budget, Limits, Topic, VenueFacts
from foxtrot_workers.adapter.rest_book import Chain
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.constants import (
    AGG_TRADE_HISTORY,
    COINM_REST,
    FACTS_COINM,
    FACTS_US,
    FACTS_USDM,
    FUTURES_AGG_TRADE_HISTORY,
    FUTURES_STREAM_NAMES,
    LIMITS,
    LIMITS_FUTURES,
    PUBLIC_CHANNELS,
    QUOTE_ASSETS_FUTURES,
    QUOTE_ASSETS_US,
    USDM_REST,
    Rest,
)
from foxtrot_workers.exchanges.binance.instruments import (
    contract_of,
    instrument_of,
    listed_instruments,
    parse_contracts,
)
from foxtrot_workers.exchanges.binance.messages import decode_messages
from foxtrot_workers.exchanges.binance.mixed_bursts import FUTURES_KINDS
from foxtrot_workers.exchanges.binance.parsers import Parser, make_futures_parser
from foxtrot_workers.exchanges.binance.trade_bursts import FUTURES_TRADES

__all__ = ["BinanceCoinm", "BinanceUs", "BinanceUsdm", "Sim"]


class BinanceUs(Binance):
    """``exchange = "binance_us"``: Binance.US, spot."""

    name: ClassVar[str] = "binance_us"
    exchange: ClassVar[str] = "BINANCE_US"
    url: ClassVar[str] = "wss://stream.binance.us:9443"
    rest_url: ClassVar[str] = "https://api.binance.us"
    hosts: ClassVar[frozenset[str]] = frozenset()
    offers_status: ClassVar[bool] = False
    quote_assets: ClassVar[tuple[str, ...]] = QUOTE_ASSETS_US
    limits: ClassVar[Limits] = structs.replace(LIMITS, rest_weight=Budget(1200, 60.0))
    facts: ClassVar[VenueFacts | None] = FACTS_US
    histories: ClassVar[tuple[tuple[str, str, int], ...]] = (AGG_TRADE_HISTORY,)  # historicalTrades needs an API key


class BinanceCoinm(Binance):
    """``exchange = "binance_coinm"``: futures and perpetuals margined in their base coin. Sizes are contracts."""

    name: ClassVar[str] = "binance_coinm"
    exchange: ClassVar[str] = "BINANCE_COINM"
    channels: ClassVar[frozenset[str]] = frozenset(FUTURES_STREAM_NAMES)
    url: ClassVar[str] = "wss://dstream.binance.com"
    rest_url: ClassVar[str] = "https://dapi.binance.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"dstream.binancefuture.com"})
    limits: ClassVar[Limits] = LIMITS_FUTURES
    facts: ClassVar[VenueFacts | None] = FACTS_COINM
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "sequence",
        EVENT_BBO: "latest",
        EVENT_BOOK: "chained",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
        EVENT_LIQUIDATION: "content",
    }
    offers_status: ClassVar[bool] = False
    quote_assets: ClassVar[tuple[str, ...]] = QUOTE_ASSETS_FUTURES
    stream_names: ClassVar[Mapping[str, str]] = FUTURES_STREAM_NAMES
    trade_streams: ClassVar[Mapping[str, str]] = FUTURES_TRADES
    burst_kinds: ClassVar[Mapping[str, str]] = FUTURES_KINDS
    rest: ClassVar[Rest] = COINM_REST
    chain: ClassVar[Chain] = Chain.PREVIOUS
    histories: ClassVar[tuple[tuple[str, str, int], ...]] = (FUTURES_AGG_TRADE_HISTORY,)
    counts_contracts: ClassVar[bool] = True
    """Whether volumes are contracts and base coins, so that there is no turnover in quote units."""

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        rules = super().identity_rules(channels)
        if "trade" in channels:
            rules[EVENT_MARKET_TRADE] = "increasing"  # ids of trades outside the order book are left out
        return rules

    def _make_parser(self, wire: str) -> Parser | None:
        return make_futures_parser(self, self._decoders, self._books, wire, counts_contracts=self.counts_contracts)

    def _parse_combined(
        self, wire: str, frame: bytes, data: msgspec.Raw, receive_ns: int, out: list[MarketEvent[str]]
    ) -> None:
        """In recordings also streams of all symbols, such as ``!forceOrder@arr``: as if each symbol had its own."""
        if not self.adopt or not wire.startswith("!") or wire == "!serverShutdown":
            super()._parse_combined(wire, frame, data, receive_ns, out)
            return
        events: list[MarketEvent[str]] = []
        for message in decode_messages(data) if bytes(data).startswith(b"[") else [data]:
            self._parse_other(bytes(message), receive_ns, events)
        out += events

    def instruments_path(self, symbols: Sequence[str]) -> str:
        return f"{self.rest.prefix}/exchangeInfo"

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_contracts(body)

    def listed(self, body: bytes) -> list[Instrument]:
        return listed_instruments(body, contract_of)

    def instrument(self, symbol: str) -> str:
        """Split at the longest quote currency that the pair ends with; the rest of the name says when it ends."""
        return contract_of(symbol, instrument_of(symbol.partition("_")[0], self.quote_assets))


class BinanceUsdm(BinanceCoinm):
    """``exchange = "binance_usdm"``: futures and perpetuals margined in USDT or USDC. Sizes are in the base coin.

    Books, quotes and trades are served at another path than everything else: a connection has channels of one path.
    `topics` decides which path `address` names, so it must be called first.
    """

    name: ClassVar[str] = "binance_usdm"
    exchange: ClassVar[str] = "BINANCE_USDM"
    url: ClassVar[str] = "wss://fstream.binance.com"
    rest_url: ClassVar[str] = "https://fapi.binance.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"fstream.binancefuture.com"})
    facts: ClassVar[VenueFacts | None] = FACTS_USDM
    rest: ClassVar[Rest] = USDM_REST
    counts_contracts: ClassVar[bool] = False

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._path = "/public"

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        topics = super().topics(channels, symbols)
        public = PUBLIC_CHANNELS.intersection(channels)
        if public and not public.issuperset(channels):
            raise ValueError(
                f"{', '.join(sorted(public))} are served at another address than all other channels: "
                "they need a connection of their own"
            )
        self._path = "/public" if public else "/market"
        return topics

    def address(self, base: str) -> str:
        """Return the address of combined streams with the path that the topics need; any other path is kept."""
        parts = urlsplit(base)
        if parts.path.rstrip("/") in ("", "/public", "/market", "/public/stream", "/market/stream"):
            return urlunsplit((parts.scheme, parts.netloc, f"{self._path}/stream", parts.query, ""))
        return super().address(base)


class Sim(Binance):
    """``exchange = "sim"``: the simulated exchange. Its addresses are filled in once it has started."""

    name: ClassVar[str] = "sim"
    exchange: ClassVar[str] = "SIM"
    url: ClassVar[str] = "ws://127.0.0.1"
    rest_url: ClassVar[str] = "http://127.0.0.1"
    hosts: ClassVar[frozenset[str]] = frozenset()
    limits: ClassVar[Limits] = structs.replace(LIMITS, connects=Budget(), rest_weight=Budget())
    facts: ClassVar[VenueFacts | None] = None  # it is no venue
