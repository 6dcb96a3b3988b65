"""REST for one worker: what its adapter asks for, one request a key, within bounds of size, time and number.

Honours Retry-After for everything that follows from this worker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiohttp

from foxtrot_workers.connection import retry_after_s, tls_context

__all__ = ["ANSWER_BYTES_MAX", "CONCURRENT_MAX", "REQUESTS_MAX", "TIMEOUT_S", "RestFetcher"]

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""The largest instrument list known has about 20 MB."""
TIMEOUT_S = 20.0
CONCURRENT_MAX = 4
REQUESTS_MAX = 2000
"""Requests waiting or running, all keys together."""

AnswerCallback = Callable[[str, int, bytes], None]
"""``(path, status, body)``; status 0: no answer, `body` then says why."""


class RestFetcher:
    """Fetches ``base + path``; connections are made on first need."""

    def __init__(self, base: str, ca_file: str | None, proxy: str | None) -> None:
        self._base = base.rstrip("/")
        self._ca_file = ca_file
        self._proxy = proxy
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(CONCURRENT_MAX)
        self._not_before = 0.0
        self._session: aiohttp.ClientSession | None = None
        self.requests_total = 0
        self.failures_total = 0
        self.refused_total = 0

    def fetch(self, key: str, path: str, delay_s: float, on_answer: AnswerCallback) -> bool:
        """Fetch after `delay_s`; a new request with the same `key` replaces the old one. False: too many."""
        previous = self._tasks.pop(key, None)
        if previous is not None:
            previous.cancel()
        if len(self._tasks) >= REQUESTS_MAX:
            self.refused_total += 1
            return False
        task = asyncio.create_task(self._run(path, delay_s, on_answer), name=f"rest-{key}")
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))
        return True

    async def close(self) -> None:
        """Cancel what runs and close the connections."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _forget(self, key: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]

    async def _run(self, path: str, delay_s: float, on_answer: AnswerCallback) -> None:
        await asyncio.sleep(max(delay_s, self._not_before - time.monotonic()))
        async with self._slots:
            status, body = await self._get(path)
        on_answer(path, status, body)

    async def _get(self, path: str) -> tuple[int, bytes]:
        self.requests_total += 1
        try:
            if self._session is None:
                self._session = self._make_session()
            async with self._session.get(self._base + path, allow_redirects=False, proxy=self._proxy) as answer:
                body = await answer.content.read(ANSWER_BYTES_MAX + 1)
                while len(body) <= ANSWER_BYTES_MAX and not answer.content.at_eof():
                    body += await answer.content.read(ANSWER_BYTES_MAX + 1 - len(body))
                if len(body) > ANSWER_BYTES_MAX:
                    self.failures_total += 1
                    return 0, f"answer over {ANSWER_BYTES_MAX} bytes".encode()
                if answer.status in (418, 429):
                    wish = retry_after_s(answer.headers.get("Retry-After"), time.time())
                    self._not_before = time.monotonic() + (wish if wish is not None else 1.0)
                if answer.status != 200:
                    self.failures_total += 1
                return answer.status, body
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self.failures_total += 1
            return 0, f"{type(error).__name__}: {error}".encode()

    def _make_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            # loading the authorities takes megabytes in every worker: only where there is something to verify
            connector=aiohttp.TCPConnector(
                ssl=tls_context(self._ca_file) if self._base.startswith("https:") else False, limit=CONCURRENT_MAX
            ),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            trust_env=False,  # proxies only as configured
            cookie_jar=aiohttp.DummyCookieJar(),
        )
