"""Asks the run for its status at a steady interval, and publishes what pages show."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, Final

from foxtrot_protocol.control import Reply, Request, StatusRequest
from foxtrot_protocol.errors import RemoteError
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning
from foxtrot_supervisor.report.diagnosis import Surroundings, diagnose
from foxtrot_supervisor.web.hub import Hub
from foxtrot_supervisor.web.page_data import topic_matrix, view

__all__ = ["ANSWER_S", "INTERVAL_S", "ORDER_S", "Watcher"]

INTERVAL_S: Final = 1.0
ANSWER_S: Final = 10.0
ORDER_S: Final = 120.0


class Watcher:
    """Publishes the run in `run_dir` to `hub`."""

    def __init__(self, run_dir: str, hub: Hub) -> None:
        self._run_dir = run_dir
        self._hub = hub

    async def run(self) -> None:
        """Ask until cancelled; a run that has ended is waited for."""
        while True:
            try:
                status = await asyncio.to_thread(self._ask, StatusRequest(), ANSWER_S)
            except (OSError, NotRunning, RemoteError, TimeoutError) as error:
                self._hub.publish("away", {"at_ms": time.time_ns() // 1_000_000, "problem": str(error)})
            else:
                findings = diagnose(status.data, Surroundings())
                self._hub.publish("view", view(status.data, findings, time.time_ns()))
                self._hub.publish("topics", topic_matrix(status.data["workers"]))
            await asyncio.sleep(INTERVAL_S)

    async def order(self, request: Request) -> str:
        """Send an order; return why it was refused, "" on success."""
        try:
            reply = await asyncio.to_thread(self._ask, request, ORDER_S)
        except (OSError, NotRunning, RemoteError, TimeoutError) as error:
            return str(error) or "no answer in time"
        return reply.error

    def _ask(self, request: Request, limit_s: float) -> Reply:
        with ControlClient(self._run_dir) as client:
            return client.request(request, limit_s)
