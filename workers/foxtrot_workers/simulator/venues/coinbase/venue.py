"""Coinbase Exchange: the parts of the simulated exchange that are its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from foxtrot_workers.simulator.market.market import Market
from foxtrot_workers.simulator.venues.answer import Answer, retry_after
from foxtrot_workers.simulator.venues.coinbase.publisher import CoinbasePublisher
from foxtrot_workers.simulator.venues.coinbase.rest import answer
from foxtrot_workers.simulator.venues.coinbase.session import CoinbaseSession
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from foxtrot_workers.simulator.venues.session import Session
from foxtrot_workers.simulator.venues.venue import Venue

__all__ = ["CoinbaseVenue"]


class CoinbaseVenue(Venue):
    """One address; books with the snapshot on the stream, without numbers."""

    limits: ClassVar[ExchangeLimits] = ExchangeLimits(
        ping_interval_s=None, lifetime_s=None, messages_per_s=100, streams_max=100_000, idle_s=5.0
    )
    separator: ClassVar[str] = "-"

    def __init__(self) -> None:
        super().__init__()
        self._publisher = CoinbasePublisher()

    @property
    def publisher(self) -> CoinbasePublisher:
        return self._publisher

    def session(self, path: str, query: str) -> Session:
        return CoinbaseSession(self._publisher.knows, idle_s=self.limits_used.idle_s)

    def answer(self, market: Market, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        return answer(market, path, query, now_ms)

    def failure(self, status: int, reason: str, retry_after_s: float | None = None) -> Answer:
        return Answer(status, msgspec.json.encode({"message": reason}), headers=retry_after(retry_after_s))

    def _is_book(self, topic: str) -> bool:
        return topic.startswith("level2_batch:")
