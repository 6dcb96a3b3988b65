"""Gate.io's futures, which speak the protocol of spot with messages of their own. Sizes are contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import urlsplit

from foxtrot_protocol.events import Trade
from foxtrot_workers.adapter import Limits, VenueFacts
from foxtrot_workers.exchanges.gateio.adapter import Gateio
from foxtrot_workers.exchanges.gateio.constants import FACTS_FUTURES, FUTURES_CHANNELS, LIMITS_FUTURES
from foxtrot_workers.exchanges.gateio.history import parse_contract_history
from foxtrot_workers.exchanges.gateio.instruments import contract_of, parse_contracts
from foxtrot_workers.exchanges.gateio.parsers import FUTURES_FACTORIES, Factory

__all__ = ["GateioFutures"]

_SETTLED_IN_BTC = frozenset({"", "/v4/ws", "/v4/ws/btc"})
"""Paths of contracts that are settled in bitcoin."""


class GateioFutures(Gateio):
    """``exchange = "gateio_futures"``: perpetual contracts settled in USDT; in bitcoin, or with a date, by `url`."""

    name: ClassVar[str] = "gateio_futures"
    exchange: ClassVar[str] = "GATEIO_FUTURES"
    channels: ClassVar[frozenset[str]] = frozenset(FUTURES_CHANNELS)
    url: ClassVar[str] = "wss://fx-ws.gateio.ws/v4/ws/usdt"
    limits: ClassVar[Limits] = LIMITS_FUTURES
    facts: ClassVar[VenueFacts | None] = FACTS_FUTURES
    market: ClassVar[str] = "futures"
    channel_names: ClassVar[Mapping[str, str]] = FUTURES_CHANNELS
    factories: ClassVar[Mapping[str, Factory]] = FUTURES_FACTORIES
    symbol_key: ClassVar[str] = "contract"

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._rest_prefix = "/api/v4/futures/usdt"

    def address(self, base: str) -> str:
        """Return `base`; its path says in which currency contracts are settled, and so where their REST paths are."""
        path = urlsplit(base).path.rstrip("/")
        kind = "delivery" if "/delivery/" in path else "futures"
        settle = "btc" if path in _SETTLED_IN_BTC and base != self.url else path.rpartition("/")[2]
        if settle.isalnum() and "/ws" in path:
            self._rest_prefix = f"/api/v4/{kind}/{settle}"
        return base

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return parse_contract_history(self.exchange, path, body, receive_ns)

    def instruments_path(self, symbols: Sequence[str]) -> str:
        return f"{self._rest_prefix}/contracts"

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_contracts(body)

    def instrument(self, symbol: str) -> str:
        return contract_of(symbol)
