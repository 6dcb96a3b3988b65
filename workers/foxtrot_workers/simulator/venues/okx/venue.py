"""OKX v5: the parts of the simulated exchange that are its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from foxtrot_workers.simulator.market.market import Market
from foxtrot_workers.simulator.venues.answer import Answer, retry_after
from foxtrot_workers.simulator.venues.okx.publisher import BUSINESS_CHANNELS, CHANNELS, OkxPublisher
from foxtrot_workers.simulator.venues.okx.rest import answer
from foxtrot_workers.simulator.venues.okx.session import OkxSession
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from foxtrot_workers.simulator.venues.session import BadAddress, Session
from foxtrot_workers.simulator.venues.venue import Venue

__all__ = ["OkxVenue"]

_LOGIN_CHANNELS = ("books50-l2-tbt", "books-l2-tbt")
_BUSINESS_PATH = "/ws/v5/business"
_PATHS = ("/ws/v5/public", _BUSINESS_PATH)


class OkxVenue(Venue):
    """Two addresses; books with the snapshot on the stream, chained by ``prevSeqId``."""

    limits: ClassVar[ExchangeLimits] = ExchangeLimits(
        ping_interval_s=None,
        lifetime_s=None,
        messages_per_s=1_000,
        requests_per_hour=480,
        streams_max=100_000,
        idle_s=30.0,
    )
    separator: ClassVar[str] = "-"

    def __init__(self) -> None:
        super().__init__()
        self._publisher = OkxPublisher()

    @property
    def publisher(self) -> OkxPublisher:
        return self._publisher

    def session(self, path: str, query: str) -> Session:
        if path.rstrip("/") not in _PATHS:
            raise BadAddress(404, "no channels at this address")
        offered = BUSINESS_CHANNELS if path.rstrip("/") == _BUSINESS_PATH else CHANNELS

        def judge(arg: Mapping[str, Any]) -> tuple[str, str] | None:
            channel, name = arg["channel"], arg.get("instId")
            if channel in _LOGIN_CHANNELS:
                return "60011", "Please log in"
            if channel in offered and isinstance(name, str) and self._publisher.knows(name):
                return None
            return "60018", f"channel:{channel},instId:{name} doesn't exist"

        limits = self.limits_used
        return OkxSession(judge=judge, requests_per_hour=limits.requests_per_hour, idle_s=limits.idle_s)

    def answer(self, market: Market, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        return answer(market, path, query, now_ms)

    def failure(self, status: int, reason: str, retry_after_s: float | None = None) -> Answer:
        code = "50011" if status == 429 else str(status)
        body = msgspec.json.encode({"code": code, "msg": reason, "data": []})
        return Answer(status, body, headers=retry_after(retry_after_s))

    def state(self, path: str, maintained: str) -> Answer | None:
        if path != "/api/v5/system/status":
            return None
        events = [{"title": maintained, "state": "ongoing", "serviceType": "0"}] if maintained else []
        return Answer(200, msgspec.json.encode({"code": "0", "msg": "", "data": events}))

    def _is_book(self, topic: str) -> bool:
        return topic.startswith("channel=books/")
