"""The REST side of the simulated exchange: answers from the market or the recording, faults and weights included."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from foxtrot_workers.simulator.market.market import Market
from foxtrot_workers.simulator.recorded.playback import Playback
from foxtrot_workers.simulator.server.faults import ENDLESS, FaultScript
from foxtrot_workers.simulator.server.ledger import Ledger
from foxtrot_workers.simulator.server.player import SnapshotDesk
from foxtrot_workers.simulator.venues.answer import Answer
from foxtrot_workers.simulator.venues.venue import Venue
from foxtrot_workers.simulator.venues.weight_limit import WeightLimit
from foxtrot_workers.simulator.wire.http_wire import HttpRequest

__all__ = ["RestApi", "from_market", "from_recording"]

_STALL_S = 5.0

Source = Callable[[HttpRequest], Awaitable[Answer]]
"""Answers a GET request as the exchange does, without faults."""


def from_market(market: Market, venue: Venue, ahead_ms: int = 0) -> Source:
    """Answer from a seeded market, as `venue` does; its clock is `ahead_ms` milliseconds ahead of this machine's."""

    async def answer_request(request: HttpRequest) -> Answer:
        return venue.answer(market, request.path, request.query, _now_ms() + ahead_ms)

    return answer_request


def from_recording(playback: Playback, snapshots: SnapshotDesk, venue: Venue) -> Source:
    """Answer from a recording of `venue`; a snapshot waits for the playback to reach it."""

    async def answer_request(request: HttpRequest) -> Answer:
        last = request.path.rsplit("/", 1)[-1]
        if last == "depth":
            return await snapshots.answer(request.query.get("symbol", ""))
        if last in ("exchangeInfo", "instruments"):
            return playback.instrument_answer(request.query)
        if last == "history-trades" and playback.past is not None:
            return playback.past.answer(request.query)
        if last == "ping":
            return Answer(200, b"{}")
        if last == "time":
            return Answer(200, b'{"serverTime":%d}' % _now_ms())
        return venue.failure(404, "not in the recording")

    return answer_request


class RestApi:
    """Answers requests, and counts their weight.

    The rules are those of `venue`.
    """

    def __init__(self, source: Source, faults: FaultScript[Any], ledger: Ledger, venue: Venue) -> None:
        self._source = source
        self._venue = venue
        self._faults = faults
        self._ledger = ledger
        limits = venue.limits_used
        self.weight = WeightLimit(limits.weight_per_minute, limits.refusals_max, limits.ban_s)

    async def answer(self, request: HttpRequest) -> Answer:
        """Return the answer to one request."""
        if request.method != "GET":
            return self._venue.failure(405, "Method not allowed")
        fault = self._faults.rest_fault(request.path, time.monotonic())
        if fault is not None:
            self._ledger.fault(None, fault.kind, time.time_ns())
            if fault.kind == "rest_refuse":
                return self._venue.failure(fault.status, "Too many requests", fault.retry_after_s)
            if fault.kind in ENDLESS:
                return Answer(200, b"", endless=ENDLESS[fault.kind], pause_s=1.0 / fault.bytes_per_s)
            if fault.kind == "rest_body":
                return Answer(200, fault.body.encode())
            await asyncio.sleep(_STALL_S if fault.duration_s is None else fault.duration_s)
        state = self._venue.state(request.path, self._faults.maintenance(time.monotonic()))
        return self._weigh(await self._source(request) if state is None else state)

    def _weigh(self, found: Answer) -> Answer:
        """Count the request's weight; refuse it if the weight of this minute is spent."""
        refused = self.weight.spend(found.weight, time.monotonic())
        if refused is not None:
            self._ledger.violated("banned" if refused.status == 418 else "weight")
            return self._venue.failure(refused.status, "Too much request weight used", refused.retry_after_s)
        headers = {**found.headers, "X-MBX-USED-WEIGHT-1M": str(self.weight.used)}
        return Answer(found.status, found.body, found.weight, headers)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
