"""Asks the exchange for its time and its state over REST."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine

import msgspec

from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.notices import RestRequest
from foxtrot_workers.feed.clock_offset import Offset, best, measured
from foxtrot_workers.feed.rate_limit import AddressLimit, RateLimitExhausted
from foxtrot_workers.http.client import HttpClient, HttpFailed
from foxtrot_workers.owned_tasks import start_task

__all__ = ["ANSWER_BYTES_MAX", "CLOCK_FIRST_S", "CLOCK_S", "REQUEST_S", "SystemRequests"]

CLOCK_FIRST_S = 5.0
"""At random up to so many seconds after the connection is open its clock is asked for, so that not all ask together."""

CLOCK_S = 1800.0
"""Seconds between two measurements of the offset."""

_CLOCK_REQUESTS = 3
"""Requests of one measurement: the first one pays for the connection."""

REQUEST_S = 3.0
"""Limit in seconds for one request."""

ANSWER_BYTES_MAX = 1024 * 1024
"""Largest answer."""


class SystemRequests:
    """Of one worker; the requests are its own, beside those of its adapter.

    Args:
        adapter: names the requests and reads the answers.
        limit: of REST requests.
        connect: returns a new client of the REST interface; raises ValueError for an unusable address.
    """

    def __init__(self, adapter: Adapter, limit: AddressLimit, connect: Callable[[], HttpClient]) -> None:
        self._adapter = adapter
        self._limit = limit
        self._connect = connect
        self._tasks: set[asyncio.Task[None]] = set()
        self.offset: Offset | None = None
        """Of this machine's clock, as measured last; None: not measured yet, or the exchange does not say its time."""

    def start_clock(self) -> None:
        """Measure the offset soon, and then again and again, where the exchange says its time."""
        if self._adapter.system_time() is not None:
            self._spawn(self._measure_again_and_again(), "clock")

    def ask_maintenance(self, answered: Callable[[str], None]) -> None:
        """Call `answered` with what `maintenance` returns."""

        async def ask() -> None:
            answered(await self.maintenance())

        self._spawn(ask(), "maintenance")

    async def maintenance(self) -> str:
        """Return what the exchange says is maintained; "" if it works, does not answer or cannot be asked."""
        status = self._adapter.system_status()
        if status is None:
            return ""
        try:
            client = self._connect()
        except ValueError:
            return ""
        try:
            body = await self._fetch(client, status.request)
            return "" if body is None else status.read(body)
        except (msgspec.MsgspecError, ValueError, LookupError, RecursionError):
            return ""
        finally:
            client.close()

    async def close(self) -> None:
        """Give up what is asked."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = start_task(work, name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _measure_again_and_again(self) -> None:
        await asyncio.sleep(random.random() * CLOCK_FIRST_S)
        while True:
            self.offset = await self._measure() or self.offset
            await asyncio.sleep(CLOCK_S)

    async def _measure(self) -> Offset | None:
        asked = self._adapter.system_time()
        assert asked is not None
        found: list[Offset | None] = []
        try:
            client = self._connect()
        except ValueError:
            return None
        try:
            for _ in range(_CLOCK_REQUESTS):
                await self._limit.acquire(asked.request.weight)
                sent_ns = time.time_ns()
                response = await client.get(asked.request.path, REQUEST_S, ANSWER_BYTES_MAX)
                received_ns = time.time_ns()
                if response.status != 200:
                    break
                found.append(measured(sent_ns, received_ns, asked.read_ns(response.body), asked.resolution_ns))
        except (HttpFailed, RateLimitExhausted, msgspec.MsgspecError, ValueError, LookupError, RecursionError):
            pass  # asked again in half an hour
        finally:
            client.close()
        return best(found)

    async def _fetch(self, client: HttpClient, request: RestRequest) -> bytes | None:
        try:
            await self._limit.acquire(request.weight)
            response = await client.get(request.path, REQUEST_S, ANSWER_BYTES_MAX)
        except (HttpFailed, RateLimitExhausted):
            return None
        return response.body if response.status == 200 else None
