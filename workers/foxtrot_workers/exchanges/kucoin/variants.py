"""KuCoin's futures, which speak the protocol of spot with topics and messages of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from foxtrot_workers.adapter import Limits, VenueFacts
from foxtrot_workers.exchanges.kucoin.adapter import Kucoin
from foxtrot_workers.exchanges.kucoin.constants import (
    FACTS_FUTURES,
    FUTURES_TOPICS,
    LIMITS_FUTURES,
    UNIFIED_CHANNEL,
)
from foxtrot_workers.exchanges.kucoin.instruments import contract_of
from foxtrot_workers.exchanges.kucoin.parsers import FUTURES_FACTORIES, Factory

__all__ = ["KucoinFutures"]


class KucoinFutures(Kucoin):
    """``exchange = "kucoin_futures"``: perpetual and dated contracts. Sizes are contracts."""

    name: ClassVar[str] = "kucoin_futures"
    exchange: ClassVar[str] = "KUCOIN_FUTURES"
    channels: ClassVar[frozenset[str]] = frozenset(FUTURES_TOPICS) | {UNIFIED_CHANNEL}
    url: ClassVar[str] = "wss://ws-api-futures.kucoin.com/"
    unified_url: ClassVar[str] = "wss://x-push-futures.kucoin.com"
    rest_url: ClassVar[str] = "https://api-futures.kucoin.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"x-push-futures.kucoin.com"})
    limits: ClassVar[Limits] = LIMITS_FUTURES
    facts: ClassVar[VenueFacts | None] = FACTS_FUTURES
    topic_names: ClassVar[Mapping[str, tuple[str, str]]] = FUTURES_TOPICS
    factories: ClassVar[Mapping[str, Factory]] = FUTURES_FACTORIES
    trade_type: ClassVar[str] = "FUTURES"
    snapshot_path: ClassVar[str] = "/api/v1/level2/snapshot"
    list_path: ClassVar[str] = "/api/v1/contracts/active"
    trades_path: ClassVar[str] = "/api/v1/trade/history"
    quote_path: ClassVar[str] = "/api/v1/ticker"

    def instrument(self, symbol: str) -> str:
        """The name of a perpetual contract says base and quote."""
        return contract_of(symbol)
