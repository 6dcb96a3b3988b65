"""The pages ``/metrics``, ``/health/live`` and ``/health/ready`` of a run, for any HTTP server.

A server checks who asks, and then calls `MetricsPages.respond`. However many ask, the supervisor is asked at most once
in `REUSE_S`, and an answer is rendered once for each format.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from foxtrot_protocol.control import StatusRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.client.async_control import AsyncControlClient
from foxtrot_supervisor.client.trust import NotRunning, NotTrusted
from foxtrot_supervisor.monitoring.exposition import exposed
from foxtrot_supervisor.report.health import not_ready
from foxtrot_supervisor.report.metrics import families

__all__ = ["ANSWER_S", "PATHS", "REUSE_S", "MetricsPages", "NoAnswer", "Page", "StatusReader"]

ANSWER_S: Final = 5.0
"""Longest wait for the supervisor's answer, in seconds."""

REUSE_S: Final = 0.5
"""Seconds for which an answer is used again."""

PATHS: Final = ("/metrics", "/health/live", "/health/ready")

_JSON: Final = "application/json"


class NoAnswer(Exception):
    """The supervisor does not answer; the text says why."""


class Page(Struct, frozen=True):
    """An answer."""

    status: int
    content_type: str
    body: bytes


class StatusReader:
    """Reads the status of the run in `run_dir`: one request at a time, shared by all that wait for it."""

    def __init__(self, run_dir: str) -> None:
        self._client = AsyncControlClient(run_dir)
        self._lock = asyncio.Lock()
        self._status: dict[str, Any] = {}
        self._read_at = -REUSE_S

    async def __call__(self) -> tuple[float, dict[str, Any]]:
        """Return monotonic time and content of a status that is at most `REUSE_S` old; raises `NoAnswer`."""
        async with self._lock:
            if time.monotonic() - self._read_at >= REUSE_S:
                self._status = await self._read()
                self._read_at = time.monotonic()
            return self._read_at, self._status

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    async def _read(self) -> dict[str, Any]:
        try:
            reply = await self._client.request(StatusRequest(), ANSWER_S)
        except TimeoutError:
            raise NoAnswer(f"the supervisor does not answer within {ANSWER_S:g} s") from None
        except (NotRunning, NotTrusted, MalformedMessage) as error:
            raise NoAnswer(str(error)) from None
        if reply.error:
            raise NoAnswer(reply.error)
        return reply.data


class MetricsPages:
    """The pages of one run.

    Args:
        read: returns time and content of its status, or raises `NoAnswer`.
        own: returns the counts of the server, by the names of `report.metrics.OWN`.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[tuple[float, dict[str, Any]]]],
        own: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self._read = read
        self._own = own
        self._rendered: dict[str, tuple[float, str, bytes]] = {}
        """By format: time of the status, content type and text. There are as many as the client library has formats."""

    async def respond(self, path: str, accept: str = "") -> Page | None:
        """Return the page at `path` (without a query), None if there is none. `accept`: the header of that name."""
        match path:
            case "/metrics":
                return await self._metrics(accept)
            case "/health/live":
                return await self._live()
            case "/health/ready":
                return await self._ready()
            case _:
                return None

    async def _metrics(self, accept: str) -> Page:
        try:
            read_at, status = await self._read()
        except NoAnswer as error:
            return Page(503, "text/plain; charset=utf-8", f"{error}\n".encode())
        wants_open = "application/openmetrics-text" in accept
        key = "open" if wants_open else "text"
        known = self._rendered.get(key)
        if known is None or known[0] != read_at:
            known = (
                read_at,
                *exposed(families(status, self._own()), "application/openmetrics-text" if wants_open else ""),
            )
            self._rendered[key] = known
        return Page(200, known[1], known[2])

    async def _live(self) -> Page:
        try:
            _, status = await self._read()
        except NoAnswer as error:
            return _health(503, {"live": False, "reasons": [str(error)]})
        return _health(200, {"live": True, "state": status["supervisor"]["state"]})

    async def _ready(self) -> Page:
        try:
            _, status = await self._read()
        except NoAnswer as error:
            return _health(503, {"ready": False, "reasons": [str(error)]})
        reasons = not_ready(status)
        return _health(503 if reasons else 200, {"ready": not reasons, "reasons": reasons})


def _health(status: int, content: dict[str, Any]) -> Page:
    return Page(status, _JSON, msgspec.json.encode(content) + b"\n")
