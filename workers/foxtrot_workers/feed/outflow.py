"""Output of the worker: commits batches, applies backpressure while the ring is full, drops and announces.

Joins `backpressure`, which decides, and `event_sender`, which commits. Nothing is committed between a dropped event and
the gap that announces it, so that the bounds of gaps are exact and handlers see a gap before the events after it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.feed.backpressure import TOO_LARGE, TOO_SLOW, Backpressure, DroppedEvents, Pressure
from foxtrot_workers.feed.batches import Batch, events_of
from foxtrot_workers.feed.event_sender import EventSender

__all__ = ["RETRY_S", "Outflow"]

RETRY_S = 0.005
"""Interval at which a full ring is checked for free space."""

_FLOWING, _HOLDING, _DROPPING = Pressure.FLOWING, Pressure.HOLDING, Pressure.DROPPING


class Outflow:
    """Output of one incarnation; owns the sender."""

    def __init__(
        self,
        sender: EventSender,
        ring_bytes: int,
        full_wait_s: float,
        log: ChildLog,
        *,
        pause: Callable[[], None],
        resume: Callable[[], None],
        later: Callable[[float, Callable[[], None]], asyncio.TimerHandle],
    ) -> None:
        """Join `sender` and a new `Backpressure`.

        Args:
            sender: commits.
            ring_bytes: size of the ring.
            full_wait_s: longest backpressure in seconds before events are dropped.
            log: receives changes of the state.
            pause: stops reading from the exchange.
            resume: continues reading.
            later: ``later(delay_s, call)`` schedules a callback on the event loop.
        """
        self._sender = sender
        self._pressure = Backpressure(ring_bytes, full_wait_s)
        self._dropped = DroppedEvents()
        self._log = log
        self._pause = pause
        self._resume = resume
        self._later = later
        self._timer: asyncio.TimerHandle | None = None

    @property
    def state(self) -> Pressure:
        """Present state of backpressure."""
        return self._pressure.state

    @property
    def dropped_total(self) -> int:
        """Events dropped so far."""
        return self._dropped.total

    @property
    def committed_total(self) -> int:
        """Events committed so far."""
        return self._sender.committed_total

    @property
    def used_bytes(self) -> int:
        """Bytes in the ring that the engine has not acknowledged."""
        return self._sender.used_bytes

    def connected(self, descriptor: int) -> None:
        """Let the engine wake when the exchange's socket `descriptor` receives something."""
        self._sender.connected(descriptor)

    def send(self, batch: Batch) -> None:
        """Commit the events of `batch`, or drop and announce them. The hot path."""
        if self._pressure.state is _DROPPING or (self._dropped.pending and not self.announce()):
            self._drop(events_of(batch), TOO_SLOW)
            return
        sender = self._sender
        refused = sender.commit(batch)
        if refused:
            self._drop(refused, TOO_SLOW if sender.waiting_bytes else TOO_LARGE)
        if sender.waiting_bytes and self._pressure.state is _FLOWING:
            self._judge()

    def announce(self) -> bool:
        """Commit the gaps of dropped events; False if some found no space and are kept.

        If this process dies first, the engine announces the number of dropped events.
        """
        dropped, sender = self._dropped, self._sender
        if not dropped.pending:
            return True
        gaps = dropped.take_gaps(time.time_ns())
        refused = sender.commit(gaps, dropped.pending) if gaps else []
        if refused:
            dropped.give_back(refused)
            return False
        dropped.announced()
        sender.tell_dropped(dropped.total, 0)
        return True

    async def drain(self, deadline: float) -> bool:
        """Wait until everything is announced and acknowledged; False at `deadline` (monotonic seconds)."""
        if self._timer is not None:
            self._timer.cancel()
        if await self._sender.drain(deadline, self.announce):
            return True
        # the engine reads the ring after this process has ended; of events outside the ring it reports the number
        lost = self._sender.unannounced
        tell = self._log.error if lost else self._log.warning
        tell(
            "left_to_the_engine",
            ring_used_bytes=self._sender.used_bytes,
            lost_bytes=self._sender.waiting_bytes,
            lost=lost,
        )
        return False

    def close(self) -> None:
        """Close the sender."""
        self._sender.close()

    def _drop(self, events: list[MarketEvent[str]], cause: str) -> None:
        self._dropped.add(events, cause)
        self._sender.tell_dropped(self._dropped.total, self._dropped.pending)
        if self._pressure.state is _FLOWING:
            self.announce()

    def _judge(self) -> None:
        """The ring was full: check every `RETRY_S` until it has space and every gap is committed."""
        sender = self._sender
        before = self._pressure.state
        sender.retry()
        state = self._pressure.judge(sender.used_bytes, sender.waiting_bytes, time.monotonic())
        if state is not _FLOWING:
            self._timer = self._later(RETRY_S, self._judge)
        if state is before:
            return
        self._log.warning("backpressure", state=state.value, ring_used_bytes=sender.used_bytes)
        if state is _HOLDING:
            self._pause()
        elif before is _HOLDING:
            self._resume()
        if state is _FLOWING:
            self.announce()
