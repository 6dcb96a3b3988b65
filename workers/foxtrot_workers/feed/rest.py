"""REST for one worker: what its adapter asks for, one request a key, within bounds of size, time and number.

Honours Retry-After for everything that follows from this worker, and asks for its share of what the exchange allows
all workers of one address together before each request. A request that is cancelled, or replaced by another one of its
key, closes its connection and frees its turn at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from foxtrot_workers.feed.budget_gate import AddressGate, BudgetRefused
from foxtrot_workers.feed.http_client import HttpClient, HttpFailed
from foxtrot_workers.owned_tasks import start_task
from foxtrot_workers.websocket.client import REPELLING_STATUSES, RETRY_AFTER_DEFAULT_S, retry_after_s

__all__ = ["ANSWER_BYTES_MAX", "CONCURRENT_MAX", "REQUESTS_MAX", "TIMEOUT_S", "RestFetcher"]

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""The largest instrument list known has about 20 MB."""
TIMEOUT_S = 20.0
"""Seconds for the whole of one request, from name resolution to the last byte of the body."""
CONCURRENT_MAX = 2
REQUESTS_MAX = 2000
"""Requests waiting or running, all keys together."""

AnswerCallback = Callable[[str, int, bytes], None]
"""``(path, status, body)``; status 0: no answer, `body` then says why."""


class RestFetcher:
    """Fetches ``base + path`` and calls back with the answer; connections are made on first need."""

    def __init__(self, base: str, ca_file: str | None, proxy: str | None, gate: AddressGate | None = None) -> None:
        """`proxy`: ``http://`` or ``https://`` address. `gate`: the shared rate limit; None: there is none.

        Raises ValueError for an address that cannot be used.
        """
        self._client = HttpClient(base, ca_file, proxy)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._not_before = 0.0
        self._gate = gate
        self._turns = asyncio.Semaphore(CONCURRENT_MAX)
        self.requests_total = 0
        self.failures_total = 0
        self.refused_total = 0

    def fetch(self, key: str, path: str, delay_s: float, on_answer: AnswerCallback, weight: int = 1) -> bool:
        """Fetch after `delay_s`; a new request with the same `key` replaces the old one. False: too many.

        `weight`: what the exchange counts for it.
        """
        previous = self._tasks.pop(key, None)
        if previous is not None:
            previous.cancel()
        if len(self._tasks) >= REQUESTS_MAX:
            self.refused_total += 1
            return False
        task = start_task(self._run(path, delay_s, on_answer, weight), f"rest-{key}")
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))
        return True

    def cancel(self, key: str) -> None:
        """Give up the request with this key, if there is one; its callback is not called."""
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

    async def _run(self, path: str, delay_s: float, on_answer: AnswerCallback, weight: int) -> None:
        await asyncio.sleep(max(delay_s, self._not_before - time.monotonic()))
        async with self._turns:  # what is granted is sent at once
            status, body = await self._ask(path, weight)
        if status != 200:
            self.failures_total += 1
        on_answer(path, status, body)

    async def _ask(self, path: str, weight: int) -> tuple[int, bytes]:
        """Status and body; status 0 and the reason if there was no answer."""
        if self._gate is not None:
            try:
                await self._gate.enter(weight)
            except BudgetRefused as refusal:
                return 0, refusal.cause.encode()
        self.requests_total += 1
        try:
            response = await self._client.get(path, TIMEOUT_S, ANSWER_BYTES_MAX)
        except HttpFailed as failure:
            return 0, str(failure).encode()
        if response.status in REPELLING_STATUSES:
            wanted_s = retry_after_s(response.headers.get("retry-after"), time.time())
            wait_s = wanted_s if wanted_s is not None else RETRY_AFTER_DEFAULT_S
            self._not_before = time.monotonic() + wait_s
            if self._gate is not None:
                self._gate.spent(wait_s)
        return response.status, response.body
