"""The answer to ``status``, shared by all who ask: assembled at most every `SHARED_S`, encoded once.

The status of a thousand workers takes some 60 ms to make. It is made in slices, so that the control loop turns in
between.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from foxtrot_protocol.control import Reply, encode_line

__all__ = ["SHARED_S", "SharedStatus"]

TURN_S = 0.02
"""Seconds that slices may take of one turn of the event loop: a turn may be long where a thousand workers start."""

SHARED_S = 0.5
"""Age in seconds up to which an assembled status is given to further viewers."""


class SharedStatus:
    """Encoded replies to `StatusRequest`. `slices` yields the status in parts: all but the workers, then those."""

    def __init__(self, slices: Callable[[], Iterator[dict[str, Any]]]) -> None:
        self._slices = slices
        self._began_at = float("-inf")
        self._line = b""
        self._making: asyncio.Event | None = None
        """Set when the status that is being made is complete, or its maker was cancelled; None: none is being made."""

    async def line(self, *, fresh: bool) -> bytes:
        """Return the status as an encoded `Reply`; `fresh`: one whose assembly begins after this call."""
        oldest = time.monotonic() - (0.0 if fresh else SHARED_S)
        while self._began_at < oldest:
            if self._making is not None:
                await self._making.wait()
                continue
            made = self._making = asyncio.Event()
            began_at = time.monotonic()
            try:
                self._line = await self._make()
                self._began_at = began_at
            finally:
                self._making = None
                made.set()
        return self._line

    async def _make(self) -> bytes:
        head, workers = {}, []
        until = time.monotonic() + TURN_S
        for part in self._slices():
            listed = part.pop("workers", ())
            head.update(part)
            if listed:
                workers.append(msgspec.json.encode(listed)[1:-1])
            if time.monotonic() >= until:
                await asyncio.sleep(0)
                until = time.monotonic() + TURN_S
        return encode_line(Reply(data={**head, "workers": msgspec.Raw(b"[" + b",".join(workers) + b"]")}))
