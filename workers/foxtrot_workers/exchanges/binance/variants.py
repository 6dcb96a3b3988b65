"""Venues that speak Binance spot's protocol: Binance.US, and the simulated exchange."""

from __future__ import annotations

from typing import ClassVar

from msgspec import structs

from foxtrot_workers.adapter import Budget, Limits, VenueFacts
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.constants import AGG_TRADE_HISTORY, FACTS_US, LIMITS, QUOTE_ASSETS_US

__all__ = ["BinanceUs", "Sim"]


class BinanceUs(Binance):
    """``exchange = "binance_us"``: Binance.US, spot."""

    name: ClassVar[str] = "binance_us"
    exchange: ClassVar[str] = "BINANCE_US"
    url: ClassVar[str] = "wss://stream.binance.us:9443"
    rest_url: ClassVar[str] = "https://api.binance.us"
    hosts: ClassVar[frozenset[str]] = frozenset()
    quote_assets: ClassVar[tuple[str, ...]] = QUOTE_ASSETS_US
    limits: ClassVar[Limits] = structs.replace(LIMITS, rest_weight=Budget(1200, 60.0))
    facts: ClassVar[VenueFacts | None] = FACTS_US
    histories: ClassVar[tuple[tuple[str, str, int], ...]] = (AGG_TRADE_HISTORY,)  # historicalTrades needs an API key


class Sim(Binance):
    """``exchange = "sim"``: the simulated exchange. Its addresses are filled in once it has started."""

    name: ClassVar[str] = "sim"
    exchange: ClassVar[str] = "SIM"
    url: ClassVar[str] = "ws://127.0.0.1"
    rest_url: ClassVar[str] = "http://127.0.0.1"
    hosts: ClassVar[frozenset[str]] = frozenset()
    limits: ClassVar[Limits] = structs.replace(LIMITS, connects=Budget(), rest_weight=Budget())
    facts: ClassVar[VenueFacts | None] = None  # it is no venue
