"""Bybit v5: the parts of the simulated exchange that are its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import msgspec

from foxtrot_workers.simulator.market.market import Market
from foxtrot_workers.simulator.venues.answer import Answer, retry_after
from foxtrot_workers.simulator.venues.bybit.names import CATEGORIES
from foxtrot_workers.simulator.venues.bybit.publisher import BybitPublisher
from foxtrot_workers.simulator.venues.bybit.rest import answer
from foxtrot_workers.simulator.venues.bybit.session import BybitSession
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from foxtrot_workers.simulator.venues.session import BadAddress, Session
from foxtrot_workers.simulator.venues.venue import Venue

__all__ = ["BybitVenue"]

_PATH = "/v5/public/"


class BybitVenue(Venue):
    """One address for each category; books with the snapshot on the stream, numbered by ``u``."""

    limits: ClassVar[ExchangeLimits] = ExchangeLimits(
        ping_interval_s=None, lifetime_s=None, messages_per_s=1_000, streams_max=100_000, idle_s=600.0
    )

    def __init__(self) -> None:
        super().__init__()
        self._publisher = BybitPublisher()

    @property
    def publisher(self) -> BybitPublisher:
        return self._publisher

    def session(self, path: str, query: str) -> Session:
        category = path.rstrip("/").removeprefix(_PATH)
        if category not in CATEGORIES:
            raise BadAddress(404, "no topics at this address")
        self._publisher.categories.add(category)
        return BybitSession(category, partial(self._publisher.knows, category), idle_s=self.limits_used.idle_s)

    def answer(self, market: Market, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        return answer(self._publisher, market, path, query, now_ms)

    def failure(self, status: int, reason: str, retry_after_s: float | None = None) -> Answer:
        body = msgspec.json.encode({"retCode": 10006 if status == 429 else status, "retMsg": reason, "result": {}})
        return Answer(status, body, headers=retry_after(retry_after_s))

    def state(self, path: str, maintained: str) -> Answer | None:
        if path != "/v5/system/status":
            return None
        events = [{"id": "1", "title": maintained, "state": "ongoing"}] if maintained else []
        return Answer(200, msgspec.json.encode({"retCode": 0, "retMsg": "", "result": {"list": events}}))

    def _is_book(self, topic: str) -> bool:
        return "/orderbook." in topic
