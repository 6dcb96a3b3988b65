"""Binance spot: the parts of the simulated exchange that are its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from foxtrot_workers.simulator.market.market import Market
from foxtrot_workers.simulator.venues.answer import Answer
from foxtrot_workers.simulator.venues.binance.publisher import BinancePublisher
from foxtrot_workers.simulator.venues.binance.rest import answer, error
from foxtrot_workers.simulator.venues.binance.session import BinanceSession
from foxtrot_workers.simulator.venues.session import Session
from foxtrot_workers.simulator.venues.venue import Venue

__all__ = ["BinanceVenue"]

_CODES = {404: -1100, 405: -1100, 418: -1003, 429: -1003}


class BinanceVenue(Venue):
    """Combined and raw streams; books by REST snapshot."""

    def __init__(self) -> None:
        super().__init__()
        self._publisher = BinancePublisher()

    @property
    def publisher(self) -> BinancePublisher:
        return self._publisher

    def session(self, path: str, query: str) -> Session:
        limits = self.limits_used
        return BinanceSession(path, query, streams_max=limits.streams_max, nested_errors=limits.nested_errors)

    def answer(self, market: Market, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        return answer(market, path, query, now_ms)

    def failure(self, status: int, reason: str, retry_after_s: float | None = None) -> Answer:
        return error(status, _CODES.get(status, -1000), reason, retry_after_s)

    def state(self, path: str, maintained: str) -> Answer | None:
        if path != "/sapi/v1/system/status":
            return None
        return Answer(200, msgspec.json.encode({"status": int(bool(maintained)), "msg": maintained or "normal"}))

    def _is_book(self, topic: str) -> bool:
        return "@depth" in topic
