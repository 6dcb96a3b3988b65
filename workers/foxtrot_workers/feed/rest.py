"""REST requests of one worker: one at a time for each key, with limits of size, time and number.

Before each request the shared rate limit of the address is acquired; a Retry-After delays all further requests of this
worker. A request that is cancelled, or replaced by another of its key, closes its connection and frees its slot.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from foxtrot_workers.feed.ranked_slots import RankedSlots
from foxtrot_workers.feed.rate_limit import AddressLimit, RateLimitExhausted
from foxtrot_workers.feed.snapshot_order import Rank
from foxtrot_workers.http.client import HttpClient, HttpFailed
from foxtrot_workers.owned_tasks import start_task
from foxtrot_workers.websocket.client import REPELLING_STATUSES, RETRY_AFTER_DEFAULT_S, retry_after_s

__all__ = ["ANSWER_BYTES_MAX", "CONCURRENT_MAX", "REQUESTS_MAX", "TIMEOUT_S", "RestFetcher"]

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""The largest instrument list known has about 20 MB."""
TIMEOUT_S = 20.0
"""Limit in seconds for a whole request, from name resolution to the last byte of the body."""
CONCURRENT_MAX = 2
"""Requests in flight at the same time."""
REQUESTS_MAX = 2000
"""Maximum number of requests that are waiting or in flight."""

AnswerCallback = Callable[[str, int, bytes], None]
"""``(path, status, body)``; status 0: no answer was received, and `body` is the reason."""


class RestFetcher:
    """Fetches ``base + path`` and calls back with the answer; connects on the first request."""

    def __init__(
        self,
        base: str,
        ca_file: str | None,
        proxy: str | None,
        rate_limit: AddressLimit | None = None,
        rank: Callable[[str], Rank] = lambda key: (0, 0),
    ) -> None:
        """`base`, `ca_file` and `proxy` as for `HttpClient`; `rate_limit`: the shared rate limit; None: unlimited.

        `rank`: of the request with a key, at the moment at which one can be sent; the lowest is sent first.

        Raises ValueError for an unusable address.
        """
        self._client = HttpClient(base, ca_file, proxy)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._not_before = 0.0
        self._rate_limit = rate_limit
        self._slots = RankedSlots(CONCURRENT_MAX, rank)
        self.requests_total = 0
        self.failures_total = 0
        self.refused_total = 0

    def fetch(self, key: str, path: str, delay_s: float, on_answer: AnswerCallback, weight: int = 1) -> bool:
        """Fetch after `delay_s` seconds; a request with the same `key` that is waiting or in flight is replaced.

        `weight`: cost against the rate limit. Returns False, and never calls back, if too many requests are waiting.
        """
        previous = self._tasks.pop(key, None)
        if previous is not None:
            previous.cancel()
        if len(self._tasks) >= REQUESTS_MAX:
            self.refused_total += 1
            return False
        task = start_task(self._run(key, path, delay_s, on_answer, weight), f"rest-{key}")
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))
        return True

    def cancel(self, key: str) -> None:
        """Cancel the request with this key, if any; its callback is not called."""
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Cancel everything and close all connections."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._client.close()

    def _forget(self, key: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]

    async def _run(self, key: str, path: str, delay_s: float, on_answer: AnswerCallback, weight: int) -> None:
        await asyncio.sleep(max(delay_s, self._not_before - time.monotonic()))
        async with self._slots.held(key):  # acquired before the rate limit, so that a granted request is sent at once
            status, body = await self._request(path, weight)
        if status != 200:
            self.failures_total += 1
        on_answer(path, status, body)

    async def _request(self, path: str, weight: int) -> tuple[int, bytes]:
        """Return status and body; status 0 and the reason if no answer was received."""
        if self._rate_limit is not None:
            try:
                await self._rate_limit.acquire(weight)
            except RateLimitExhausted as refusal:
                return 0, refusal.cause.encode()
        self.requests_total += 1
        try:
            response = await self._client.get(path, TIMEOUT_S, ANSWER_BYTES_MAX)
        except HttpFailed as failure:
            return 0, str(failure).encode()
        if response.status in REPELLING_STATUSES:
            requested_s = retry_after_s(response.headers.get("retry-after"), time.time())
            wait_s = requested_s if requested_s is not None else RETRY_AFTER_DEFAULT_S
            self._not_before = time.monotonic() + wait_s
            if self._rate_limit is not None:
                self._rate_limit.spent(wait_s)
        return response.status, response.body
