"""Events for `async for`: made in any thread, consumed in one event loop, with a bounded buffer between.

Nothing here blocks the event loop, and no thread is started.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any

from foxtrot_supervisor.client.event_buffer import EventBuffer, StreamOverflow, event_bytes

__all__ = ["BLOCK_S", "TURN_EVENTS", "EventFeed", "Funnel"]

BLOCK_S = 5.0
"""Longest wait of a producer's thread for room, with the policy "block"; then the event is dropped and counted."""

TURN_EVENTS = 64
"""Events that a consumer gets in a row before other tasks of its loop have their turn."""


class Funnel:
    """The producer's end: knows the buffer and the consumer's loop, but not the consumer."""

    def __init__(self, buffer: EventBuffer) -> None:
        self.buffer = buffer
        self.failure: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._changed = threading.Condition()
        self._woken = False
        self._stalled = False
        self.is_closed = False

    def offer(self, event: Any) -> None:
        """Add an event, from any thread but the loop's; with the policy "block" it waits at most `BLOCK_S` for room.

        Once that was in vain, further events do not wait until there is room again.
        """
        size = event_bytes(event)
        with self._changed:
            if self.buffer.overflow == "block" and not self.buffer.has_room(size) and not self._stalled:
                self._stalled = not self._changed.wait_for(
                    lambda: self.is_closed or self.buffer.has_room(size), BLOCK_S
                )
            if self.is_closed:
                return
            self.buffer.put(event, size)
            wake, self._woken = not self._woken, True
        if wake:
            self.call(self._ready.set)

    async def offer_here(self, event: Any) -> None:
        """As `offer`, in the loop's own thread: with the policy "block" it waits for room without a limit."""
        size = event_bytes(event)
        while self.buffer.overflow == "block" and not self.buffer.has_room(size) and not self.is_closed:
            self._room.clear()
            await self._room.wait()
        with self._changed:
            if not self.is_closed:
                self.buffer.put(event, size)
                self._woken = True
        self._ready.set()

    def close(self, failure: BaseException | None = None) -> None:
        """Accept no further event, from any thread; the consumer gets what is there, then `failure` or the end."""
        with self._changed:
            self.is_closed = True
            self.failure = self.failure or failure
            self._changed.notify_all()
        self.call(self._ready.set)
        self.call(self._room.set)

    async def take(self) -> Any:
        """Return the next event; raises StopAsyncIteration at the end, `StreamOverflow`, or the failure."""
        while True:
            with self._changed:
                if len(self.buffer):
                    event = self.buffer.pop()
                    self._stalled = False
                    self._changed.notify_all()
                    self._room.set()
                    return event
                if self.buffer.overflowed:
                    self.is_closed = True
                    raise StreamOverflow(
                        f"{self.buffer.dropped_total} events were dropped: the consumer of this stream is too slow"
                    )
                if self.is_closed:
                    raise self.failure or StopAsyncIteration
                self._woken = False
                self._ready.clear()
            await self._ready.wait()

    def call(self, function: Callable[[], object]) -> None:
        """Call `function` in the consumer's loop soon; at once if the loop is closed."""
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # nobody consumes any more
            self.is_closed = True
            function()


class EventFeed:
    """An asynchronous iterator of events; an async context manager that ends it. Ends too when it is forgotten.

    ::

        async with supervisor.stream("trade", symbol="BTCUSDT") as trades:
            async for trade in trades:
                ...
    """

    def __init__(self, funnel: Funnel, release: Callable[[], object]) -> None:
        """`release` is called once, from any thread, when no further events are wanted."""
        self._funnel = funnel
        self._turn = 0
        self._release = release
        self._forgotten = weakref.finalize(self, _release_later, funnel, release)
        self._forgotten.atexit = False

    @property
    def dropped_total(self) -> int:
        """Events that were dropped because this consumer was too slow."""
        return self._funnel.buffer.dropped_total

    @property
    def waiting(self) -> int:
        """Events that wait for this consumer."""
        return len(self._funnel.buffer)

    async def aclose(self) -> None:
        """End the stream."""
        self._end()

    def _end(self) -> None:
        if self._forgotten.detach() is not None:
            self._funnel.close()
            self._release()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        self._turn += 1
        if self._turn % TURN_EVENTS == 0:
            await asyncio.sleep(0)
        try:
            return await self._funnel.take()
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                self._end()
            raise

    async def __aenter__(self) -> EventFeed:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _release_later(funnel: Funnel, release: Callable[[], object]) -> None:
    """In the loop's next turn: an object may be forgotten at any place, also where a lock is held."""
    funnel.close()
    funnel.call(release)
