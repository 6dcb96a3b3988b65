"""A run that exists already, seen by a program: read only, any number of them, synchronous and asynchronous.

::

    with attach("/run/foxtrot") as run:
        print(run.status()["supervisor"]["state"])
        run.keep("trade", last="10m")
        ...
        frame = run.frame("trade", last="1m", symbol="BTCUSDT")

    async with attach("/run/foxtrot") as run:
        async for trade in run.stream("trade", symbol="BTCUSDT"):
            ...

Streams continue over restarts of the engine, and end with the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Literal

from foxtrot_protocol.codec import batch_decoder
from foxtrot_protocol.control import StatusRequest
from foxtrot_protocol.endpoints import operator_path, tap_path
from foxtrot_protocol.events import EVENT_TYPES
from foxtrot_supervisor.client.async_control import open_trusted
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning
from foxtrot_supervisor.client.event_buffer import (
    BUFFER_BYTES_MAX,
    BUFFER_EVENTS,
    EventBuffer,
    EventFilter,
    Overflow,
    event_filter,
)
from foxtrot_supervisor.client.event_feed import EventFeed, Funnel
from foxtrot_supervisor.client.event_stream import follow, is_running
from foxtrot_supervisor.client.kept_events import KeptEvents
from foxtrot_supervisor.client.tap_decoder import Dropped, TapDecoder

__all__ = ["ANSWER_S", "AttachedRun", "attach"]

ANSWER_S = 30.0
"""Default time limit of a request."""

RETRY_S = 0.1
"""Seconds between two attempts to connect to an engine."""

_CHUNK_BYTES = 64 * 1024

Numbers = Literal["float", "decimal", "text"]
Take = Callable[[Any], Awaitable[None]]


def attach(run_dir: str | os.PathLike[str], *, numbers: Numbers = "float") -> AttachedRun:
    """Return the run in `run_dir`, read only; use it in a ``with`` or ``async with`` statement, or `close` it.

    Args:
        run_dir: as ``foxtrot-supervisor status --run-dir``.
        numbers: type of prices and sizes in events.

    Raises:
        NotRunning: if no supervisor runs there.
        NotTrusted: if it belongs to another user.
    """
    path = os.path.abspath(os.fspath(run_dir))
    if not is_running(path):
        raise NotRunning(operator_path(path), "no supervisor runs there")
    return AttachedRun(path, numbers)


class AttachedRun:
    """One run; made by `attach`. Methods may be called from any thread, `stream` in an event loop."""

    def __init__(self, run_dir: str, numbers: Numbers) -> None:
        self.run_dir = run_dir
        self.batches_dropped_total = 0
        """Batches that the engine did not send to streams of this object, because they read too slowly."""
        self._numbers: Numbers = numbers
        self._streams: weakref.WeakSet[Funnel] = weakref.WeakSet()
        self._kept = KeptEvents()
        self._reader: _HistoryReader | None = None
        self._lock = threading.Lock()

    def status(self, timeout_s: float = ANSWER_S) -> dict[str, Any]:
        """Return the status as ``foxtrot-supervisor status --json``; raises `NotRunning` or TimeoutError."""
        with ControlClient(self.run_dir) as client:
            return client.request(StatusRequest(), timeout_s).data

    def events(self, types: str | list[str], *, symbol: str | list[str] | None = None) -> Iterator[Any]:
        """Yield events, blocking, until the run ends: first what the engine still holds."""
        wanted = event_filter(types, symbol)
        for batches in follow(self.run_dir, batch_decoder(self._numbers), self._noted):
            for batch in batches:
                for event in batch.events:
                    if EVENT_TYPES[type(event)] in wanted.types and wanted.accepts(event):
                        yield event

    def stream(
        self,
        types: str | list[str],
        *,
        symbol: str | list[str] | None = None,
        limit: int = BUFFER_EVENTS,
        bytes_max: int = BUFFER_BYTES_MAX,
        overflow: Overflow = "drop_oldest",
    ) -> EventFeed:
        """Return events for ``async for``, until the run ends: first what the engine still holds.

        Args:
            types: event type or kind, such as ``eMarketTrade.`` or ``trade``; or several.
            symbol: ``BTCUSDT`` or ``BTCUSDT.BINANCE``; or several; None: all.
            limit: events that wait for a slow consumer.
            bytes_max: their estimated size.
            overflow: what happens when they are more: "drop_oldest" (counted in `EventFeed.dropped_total`), "error"
                (`StreamOverflow`), or "block": nothing is read then, and the engine drops whole batches for this
                reader once 16 MiB wait (`batches_dropped_total`).
        """
        wanted = event_filter(types, symbol)
        funnel = Funnel(EventBuffer(limit, bytes_max, overflow))
        self._streams.add(funnel)
        task = asyncio.get_running_loop().create_task(self._feed(funnel, wanted), name="foxtrot-stream")
        loop = asyncio.get_running_loop()

        def release() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and its tasks are gone
                loop.call_soon_threadsafe(task.cancel)

        return EventFeed(funnel, release)

    def keep(
        self, types: str | list[str], *, last: str | float = "10m", symbol: str | list[str] | None = None, **bounds: int
    ) -> None:
        """Keep recent events in memory for `frame`, from now on; see `KeptEvents.keep`.

        They are read by a thread of its own, which ends with `close`.
        """
        self._kept.keep(types, last=last, symbol=symbol, **bounds)
        with self._lock:
            if self._reader is None:
                self._reader = _HistoryReader(self.run_dir, self._numbers, self._kept, self._noted)

    def frame(self, kind: str, *, last: str | float | None = None, symbol: str | list[str] | None = None) -> Any:
        """Return kept events as a pandas DataFrame; see `KeptEvents.frame`."""
        return self._kept.frame(kind, last=last, symbol=symbol)

    def close(self) -> None:
        """End streams and the reader of `keep`; the run goes on."""
        for funnel in list(self._streams):
            funnel.close()
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def __enter__(self) -> AttachedRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> AttachedRun:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        await asyncio.sleep(0)

    def _noted(self, text: str) -> None:
        """A message of the stream about itself."""
        count = text.partition(" ")[0]
        if count.isdecimal():
            self.batches_dropped_total += int(count)

    async def _feed(self, funnel: Funnel, wanted: EventFilter) -> None:
        async def take(event: Any) -> None:
            if EVENT_TYPES[type(event)] in wanted.types and wanted.accepts(event):
                await funnel.offer_here(event)

        try:
            await _read_events(self.run_dir, self._numbers, take, self._noted)
        except Exception as error:
            funnel.close(error)
        finally:
            funnel.close()


class _HistoryReader:
    """A thread that feeds kept events."""

    def __init__(self, run_dir: str, numbers: Numbers, kept: KeptEvents, noted: Callable[[str], None]) -> None:
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(
            target=self._run, args=(run_dir, numbers, kept, noted), name="foxtrot-history", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the thread, and wait for it."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self, run_dir: str, numbers: Numbers, kept: KeptEvents, noted: Callable[[str], None]) -> None:
        async def take(event: Any) -> None:
            kept.add(EVENT_TYPES[type(event)], event)

        try:
            self._task = self._loop.create_task(_read_events(run_dir, numbers, take, noted))
            with contextlib.suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
        finally:
            self._loop.close()


async def _read_events(run_dir: str, numbers: Numbers, take: Take, noted: Callable[[str], None]) -> None:
    """Pass the events of the run to `take`, over restarts of its engine, until the run ends."""
    decode = batch_decoder(numbers).decode
    seen: dict[str, tuple[int, int]] = {}
    while True:
        try:
            reader, writer = await open_trusted(tap_path(run_dir), _CHUNK_BYTES)
        except NotRunning:
            if not is_running(run_dir):
                return
            await asyncio.sleep(RETRY_S)
            continue
        try:
            tap = TapDecoder()
            while data := await reader.read(_CHUNK_BYTES):
                for record in tap.feed(data):
                    if isinstance(record, Dropped):
                        noted(f"{record.batches} batches were dropped")
                        continue
                    batch = decode(record.data)
                    position = (batch.incarnation, batch.sequence)
                    if position > seen.get(batch.worker, (0, 0)):
                        seen[batch.worker] = position
                        for event in batch.events:
                            await take(event)
        except ConnectionResetError:
            pass  # the engine has ended
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)  # an aborted transport closes its socket in the next turn
        await asyncio.sleep(RETRY_S)
