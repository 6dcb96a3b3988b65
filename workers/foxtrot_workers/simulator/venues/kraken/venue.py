"""Kraken WebSocket v2: the parts of the simulated exchange that are its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from foxtrot_workers.simulator.market.market import Market
from foxtrot_workers.simulator.venues.answer import Answer, retry_after
from foxtrot_workers.simulator.venues.kraken.publisher import KrakenPublisher
from foxtrot_workers.simulator.venues.kraken.rest import answer
from foxtrot_workers.simulator.venues.kraken.session import KrakenSession
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from foxtrot_workers.simulator.venues.session import BadAddress, Session
from foxtrot_workers.simulator.venues.venue import Venue

__all__ = ["KrakenVenue"]


class KrakenVenue(Venue):
    """One address; books with the snapshot on the stream, proven by a checksum."""

    limits: ClassVar[ExchangeLimits] = ExchangeLimits(
        ping_interval_s=None, lifetime_s=None, messages_per_s=100, streams_max=100_000
    )
    separator: ClassVar[str] = "/"

    def __init__(self) -> None:
        super().__init__()
        self._publisher = KrakenPublisher()

    @property
    def publisher(self) -> KrakenPublisher:
        return self._publisher

    def session(self, path: str, query: str) -> Session:
        if path.rstrip("/") != "/v2":
            raise BadAddress(404, "no channels at this address")
        return KrakenSession(self._publisher.knows)

    def answer(self, market: Market, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        return answer(market, path, query, now_ms)

    def failure(self, status: int, reason: str, retry_after_s: float | None = None) -> Answer:
        text = "EGeneral:Too many requests" if status == 429 else f"EGeneral:{reason}"
        return Answer(status, msgspec.json.encode({"error": [text]}), headers=retry_after(retry_after_s))

    def state(self, path: str, maintained: str) -> Answer | None:
        if path != "/0/public/SystemStatus":
            return None
        return Answer(200, b'{"error":[],"result":{"status":"%b"}}' % (b"maintenance" if maintained else b"online"))

    def _is_book(self, topic: str) -> bool:
        return topic.startswith("book/")
