"""REST for one worker: what its adapter asks for, one request a key, within bounds of size, time and number.

Honours Retry-After for everything that follows from this worker, and asks for its share of what the exchange allows
all workers of one address together before each request. Blocking requests of the standard library
on a few threads of their own: the rare snapshot does not need an asynchronous client, whose import and
working set would cost each worker a quarter of a second and more than a megabyte (measured).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from foxtrot_workers.feed.budget_gate import AddressGate, BudgetRefused
from foxtrot_workers.websocket.client import REPELLING_STATUSES, RETRY_AFTER_DEFAULT_S, retry_after_s, tls_context

__all__ = ["ANSWER_BYTES_MAX", "CONCURRENT_MAX", "REQUESTS_MAX", "TIMEOUT_S", "RestFetcher"]

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""The largest instrument list known has about 20 MB."""
TIMEOUT_S = 20.0
"""For the whole of one request."""
CONCURRENT_MAX = 2
REQUESTS_MAX = 2000
"""Requests waiting or running, all keys together."""

_PART_BYTES = 64 * 1024
_HEADERS = {"User-Agent": "foxtrot-supervisor", "Accept": "application/json"}

AnswerCallback = Callable[[str, int, bytes], None]
"""``(path, status, body)``; status 0: no answer, `body` then says why."""


class RestFetcher:
    """Fetches ``base + path``; threads and connections are made on first need. Follows no redirect."""

    def __init__(self, base: str, ca_file: str | None, proxy: str | None, gate: AddressGate | None = None) -> None:
        """`proxy`: ``http://host:port``; others are refused when something is fetched. `gate` None: nobody is asked."""
        self._base = urlsplit(base.rstrip("/"))
        self._ca_file = ca_file
        self._proxy = urlsplit(proxy) if proxy else None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._not_before = 0.0
        self._gate = gate
        self._turns = asyncio.Semaphore(CONCURRENT_MAX)
        self._threads: ThreadPoolExecutor | None = None
        self._open: set[http.client.HTTPConnection] = set()
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
        task = asyncio.create_task(self._run(path, delay_s, on_answer, weight), name=f"rest-{key}")
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))
        return True

    def cancel(self, key: str) -> None:
        """Nobody waits for the answer any more."""
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Cancel what waits and cut what runs."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self._open):
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def _forget(self, key: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]

    async def _run(self, path: str, delay_s: float, on_answer: AnswerCallback, weight: int) -> None:
        await asyncio.sleep(max(delay_s, self._not_before - time.monotonic()))
        async with self._turns:  # what is granted is sent at once, not when a thread is free
            status, body = await self._ask(path, weight)
        if status != 200:
            self.failures_total += 1
        on_answer(path, status, body)

    async def _ask(self, path: str, weight: int) -> tuple[int, bytes]:
        if self._gate is not None:
            try:
                await self._gate.enter(weight)
            except BudgetRefused as refusal:
                return 0, refusal.cause.encode()
        if self._threads is None:
            self._threads = ThreadPoolExecutor(CONCURRENT_MAX, thread_name_prefix="rest")
        self.requests_total += 1
        status, body, wish = await asyncio.get_running_loop().run_in_executor(self._threads, self._get, path)
        if status in REPELLING_STATUSES:
            wait_s = wish if wish is not None else RETRY_AFTER_DEFAULT_S
            self._not_before = time.monotonic() + wait_s
            if self._gate is not None:
                self._gate.spent(wait_s)
        return status, body

    # ---- on a thread

    def _get(self, path: str) -> tuple[int, bytes, float | None]:
        """One request: status, body and Retry-After in seconds; status 0 and the reason if there was no answer."""
        deadline = time.monotonic() + TIMEOUT_S
        connection: http.client.HTTPConnection | None = None
        try:
            connection, target = self._connection(path)
            self._open.add(connection)
            connection.request("GET", target, headers=_HEADERS)
            answer = connection.getresponse()
            body = _read(answer, deadline)
            return answer.status, body, retry_after_s(answer.headers.get("Retry-After"), time.time())
        except (OSError, http.client.HTTPException, ValueError) as error:
            return 0, f"{type(error).__name__}: {error}".encode(), None
        finally:
            if connection is not None:
                self._open.discard(connection)
                connection.close()

    def _connection(self, path: str) -> tuple[http.client.HTTPConnection, str]:
        """A connection, not yet opened, and what to ask it for."""
        base, proxy = self._base, self._proxy
        host, port = base.hostname or "", base.port
        if proxy is not None and proxy.scheme != "http":
            raise ValueError(f"REST through a proxy of kind {proxy.scheme!r} is not supported")
        first_host, first_port = (proxy.hostname or "", proxy.port) if proxy is not None else (host, port)
        if base.scheme == "https":
            # loading the authorities takes megabytes: only where there is something to verify
            secure = http.client.HTTPSConnection(
                first_host, first_port, timeout=TIMEOUT_S, context=tls_context(self._ca_file)
            )
            if proxy is not None:
                secure.set_tunnel(host, port or 443)
            return secure, base.path + path
        plain = http.client.HTTPConnection(first_host, first_port, timeout=TIMEOUT_S)
        return plain, (f"{base.geturl()}{path}" if proxy is not None else base.path + path)


def _read(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """The body, within its limits of size and time; raises ValueError or TimeoutError."""
    body = bytearray()
    while part := answer.read(_PART_BYTES):
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            raise ValueError(f"answer over {ANSWER_BYTES_MAX} bytes")
        if time.monotonic() >= deadline:
            raise TimeoutError(f"no whole answer within {TIMEOUT_S:g} s")
    return bytes(body)
