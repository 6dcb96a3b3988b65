"""Follows the bucket of holders of a cluster under test, by a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any, Final

from foxtrot_supervisor.chaos.rules.takeovers import Holdings
from foxtrot_supervisor.cluster.connection import connect
from foxtrot_supervisor.cluster.model import Holder, decode
from foxtrot_supervisor.cluster.names import HOLDERS
from foxtrot_supervisor.cluster.nats_client import NATS_ERRORS
from foxtrot_supervisor.config.cluster import ClusterConfig

__all__ = ["HolderLog"]

RETRY_S: Final = 0.2
"""Interval of attempts to watch: the server may be down."""


class HolderLog:
    """Use it as a context manager; hold `lock` while `holdings` are read."""

    def __init__(self, servers: list[str]) -> None:
        self.holdings = Holdings()
        self.lock = threading.Lock()
        self._servers = servers
        self._revision = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._follow()), name="chaos-holders", daemon=True)

    def __enter__(self) -> HolderLog:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()  # it looks every `RETRY_S`
        self._thread.join()

    async def _follow(self) -> None:
        while not self._ending.is_set():
            try:
                client = await connect(ClusterConfig(servers=self._servers), "chaos", forever=False)
            except NATS_ERRORS:
                await asyncio.sleep(RETRY_S)
                continue
            try:
                await self._watch(client)
            except NATS_ERRORS:
                await asyncio.sleep(RETRY_S)
            finally:
                await client.close()

    async def _watch(self, client: Any) -> None:
        """Until the end, or the first error: the next watch begins with the latest entry of each shard."""
        bucket = await client.jetstream().key_value(HOLDERS)
        watcher = await bucket.watchall()
        while not self._ending.is_set():
            try:
                entry = await watcher.updates(timeout=RETRY_S)
            except TimeoutError:
                if not client.is_connected:
                    return
                continue
            if entry is None or not entry.value or entry.revision <= self._revision:
                continue
            self._revision = entry.revision
            with self.lock:
                self.holdings.take(entry.key, decode(entry.value, Holder), entry.created.timestamp())
