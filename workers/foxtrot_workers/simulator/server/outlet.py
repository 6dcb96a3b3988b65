"""The way out to one client: bytes leave in order, and a fault can hold them back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["HIGH_WATER_BYTES", "Outlet"]

HIGH_WATER_BYTES = 256 * 1024
"""Unsent bytes above which senders that pace themselves by this client have to wait."""


class Outlet:
    """Writes to one client. While it is held, bytes wait in order; a client that lets too many wait overflows.

    Args:
        bytes_max: bytes that may wait for the client, held ones and those of the operating system together.
        overflow: called when more are waiting.
    """

    def __init__(self, bytes_max: int, overflow: Callable[[], None]) -> None:
        self.transport: asyncio.Transport | None = None
        """None before the connection, and after it is lost."""
        self._bytes_max = bytes_max
        self._overflow = overflow
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._holders = 0
        self._turn = asyncio.Lock()
        self._writable = asyncio.Event()
        self._writable.set()
        self._free = asyncio.Event()
        self._free.set()

    def open(self, transport: asyncio.Transport) -> None:
        """Write to `transport` from now on."""
        self.transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)

    def close(self) -> None:
        """The connection is lost: all waits for this client end."""
        self.transport = None
        self._writable.set()
        self._free.set()

    def pause(self) -> None:
        """The client does not keep up."""
        self._writable.clear()
        self._free.clear()

    def resume(self) -> None:
        """The client has caught up."""
        self._writable.set()
        if not self._holders:
            self._free.set()

    @property
    def is_blocked(self) -> bool:
        """Whether a sender that paces itself by this client has to wait."""
        return not self._free.is_set()

    async def wait_until_free(self, limit_s: float) -> bool:
        """Wait until the client takes more, or is gone; False after `limit_s` seconds."""
        try:
            async with asyncio.timeout(limit_s):
                await self._free.wait()
        except TimeoutError:
            return False
        return True

    def write(self, data: bytes) -> None:
        """Write `data` after everything before it; while the outlet is held it waits."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if not self._holders:
            transport.write(data)
        else:
            self._held.append(data)
            self._held_bytes += len(data)
        if transport.get_write_buffer_size() + self._held_bytes > self._bytes_max:
            self._overflow()

    def hold_during(self, work: Callable[[], Coroutine[Any, Any, None]]) -> Coroutine[Any, Any, None]:
        """Hold the outlet from this moment until the returned coroutine, which runs `work`, has ended.

        Works that hold it at the same time run one after the other.
        """
        self._holders += 1
        self._free.clear()
        return self._run_held(work)

    async def _run_held(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with self._turn:
            await work()
        self._holders -= 1
        if self._holders:
            return
        waiting, self._held, self._held_bytes = self._held, deque(), 0
        for data in waiting:
            self.write(data)
        if self._writable.is_set():
            self._free.set()

    def take_held(self) -> bytes | None:
        """Return the oldest bytes that are held, for the holder to write; None if there are none."""
        if not self._held:
            return None
        data = self._held.popleft()
        self._held_bytes -= len(data)
        return data

    async def write_held(self, data: bytes) -> None:
        """Write `data` of the holder itself, no faster than the client takes it."""
        await self._writable.wait()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)
