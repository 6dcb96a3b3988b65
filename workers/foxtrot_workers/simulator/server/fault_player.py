"""Faults of one connection that take time, and hold its outlet meanwhile: huge frames, slow lines, dead lines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.outlet import Outlet
from foxtrot_workers.simulator.wire import frames

__all__ = ["FaultPlayer"]

_CHUNK_BYTES = 1024 * 1024
_DRIP_STEP_S = 0.02
_STALL_BYTES = 1_000


class FaultPlayer:
    """Performs these faults on one connection.

    Args:
        outlet: held while a fault lasts.
        frame_of: makes one data frame of a payload, as this connection needs it.
        spawn: runs a coroutine that ends with the connection.
    """

    def __init__(
        self,
        outlet: Outlet,
        frame_of: Callable[[bytes], bytes],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._outlet = outlet
        self._frame_of = frame_of
        self._spawn = spawn

    def play(self, fault: Fault) -> bool:
        """Begin `fault`; False if it is not one that takes time."""
        make: Callable[[Fault], Coroutine[Any, Any, None]]
        if fault.kind == "huge":
            make = self._huge
        elif fault.kind == "drip":
            make = self._drip
        elif fault.kind == "stall":
            make = self._stall
        else:
            return False
        self._spawn(self._outlet.hold_during(lambda: make(fault)))
        return True

    async def _huge(self, fault: Fault) -> None:
        """One text frame of about `fault.size_bytes`, never in memory as a whole."""
        write = self._outlet.write_held
        start, end = b'{"e":"huge","x":"', b'"}'
        left = max(0, fault.size_bytes - len(start) - len(end))
        await write(frames.header(len(start) + left + len(end)) + start)
        chunk = b"x" * min(_CHUNK_BYTES, left)
        while left > 0 and self._outlet.transport is not None:
            await write(chunk[:left])
            left -= len(chunk)
        await write(end)

    async def _drip(self, fault: Fault) -> None:
        """What the outlet holds leaves a few bytes at a time."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + fault.duration_s if fault.duration_s is not None else float("inf")
        step_bytes = max(1, int(fault.bytes_per_s * _DRIP_STEP_S))
        pause_s = step_bytes / fault.bytes_per_s
        while loop.time() < end_s and self._outlet.transport is not None:
            data = self._outlet.take_held()
            if data is None:
                await asyncio.sleep(pause_s)
                continue
            for at in range(0, len(data), step_bytes):
                if loop.time() >= end_s:
                    await self._outlet.write_held(data[at:])
                    break
                await self._outlet.write_held(data[at : at + step_bytes])
                await asyncio.sleep(pause_s)

    async def _stall(self, fault: Fault) -> None:
        """Half a frame, then a dead line; afterwards the other half, so that the stream stays intact."""
        frame = self._frame_of(b'{"e":"stalled","x":"%b"}' % (b"x" * _STALL_BYTES))
        await self._outlet.write_held(frame[: len(frame) // 2])
        if self._outlet.transport is not None:
            self._outlet.transport.pause_reading()
        if fault.duration_s is None:
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(fault.duration_s)
        if self._outlet.transport is not None:
            self._outlet.transport.resume_reading()
        await self._outlet.write_held(frame[len(frame) // 2 :])
