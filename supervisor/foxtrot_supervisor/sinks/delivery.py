"""Second stage of a sink: from its spool to the store, at least once, with pauses while the store is away."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.crash_report import cause_of, trace_of
from foxtrot_supervisor.sinks.backoff import LONGEST_S, Backoff
from foxtrot_supervisor.sinks.dead_letters import DeadLetters
from foxtrot_supervisor.sinks.sink import Sink, SinkMisconfigured, SinkRefuses, SinkRow, SinkUnavailable
from foxtrot_supervisor.sinks.spool import Spool
from foxtrot_supervisor.sinks.spool_reader import SpoolReader
from foxtrot_supervisor.system.ending import insistent_timeout

__all__ = ["BATCH_BYTES", "CALL_S", "CLOSE_S", "FLUSH_S", "REFUSED_MAX", "Delivery"]

T = TypeVar("T")

BATCH_BYTES: Final = 4 * 1024 * 1024
"""Encoded rows in one call of `Sink.write`, in bytes, about."""

CALL_S: Final = 60.0
"""Longest call of a sink in seconds; then its store counts as unreachable."""

CLOSE_S: Final = 5.0
"""Longest `Sink.close`, in seconds; then it is abandoned."""

FLUSH_S: Final = 1.0
"""Interval of `Sink.flush` while no rows come, in seconds, where the sink has no ``flush_s``; and of looking."""

REFUSED_MAX: Final = 100_000
"""Refused rows that are remembered until the rows before them are durable; with more, delivery stops."""


class Delivery:
    """Hands the rows of a spool to a sink. Used on the event loop."""

    def __init__(
        self,
        sink: Sink,
        spool: Spool,
        dead_letters: DeadLetters,
        log: ChildLog,
        batch_rows: int,
        chance: Callable[[], float] = random.random,
        wants_room: Callable[[], bool] = lambda: False,
    ) -> None:
        """`batch_rows`: largest number of rows in one call; `wants_room`: whether the spool is nearly full."""
        self._sink = sink
        self._spool = spool
        self._dead_letters = dead_letters
        self._log = log
        self._batch_rows = batch_rows
        self._wants_room = wants_room
        self._flush_s: float | None = getattr(sink, "flush_s", FLUSH_S)
        self._flushed_at = time.monotonic()
        self._reader = SpoolReader(spool, spool.acknowledged + 1)
        self._backoff = Backoff(chance)
        self._more = asyncio.Event()
        self._refused: set[int] = set()
        self._written = spool.acknowledged
        """Last row that the sink was given since it was opened."""
        self._open = False
        self._ending = False
        self._damaged_reported = 0
        self._call_since: float | None = None
        self._cut_off = False
        """A call of the sink was cancelled: what it has of these rows is unknown."""
        self.problem = ""
        """Why nothing is delivered now, for people; "" if something is, or could be."""
        self.delivered_total = 0
        """Rows that became durable."""
        self.refused_total = 0
        """Rows that the store refused."""
        self.failures_total = 0
        """Calls that failed because the store was unreachable."""

    def rows_came(self) -> None:
        """Take notice of new rows."""
        self._more.set()

    @property
    def call_age_s(self) -> float:
        """Seconds that the present call of the sink has taken; 0 without one."""
        since = self._call_since
        return 0.0 if since is None else time.monotonic() - since

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self._deliver_once()

    async def finish(self, deadline: float) -> None:
        """Deliver what is in the spool, until `deadline` (monotonic seconds); then close the sink.

        What is not delivered stays in the spool.
        """
        self._ending = True
        try:
            async with insistent_timeout(deadline - time.monotonic() - CLOSE_S):
                if self._cut_off:  # opened again, it gets all rows that are not durable
                    await self.close()
                while self._spool.pending_rows:
                    await self._deliver_once()
        except TimeoutError:
            pass
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the sink, whatever state it is in."""
        self._open = False
        self._reader.close()
        with contextlib.suppress(TimeoutError):
            async with insistent_timeout(CLOSE_S):
                try:
                    await self._sink.close()
                except Exception as error:  # a third party's code may raise anything
                    self._log.error("sink_close_failed", reason=cause_of(error))

    async def _deliver_once(self) -> None:
        try:
            if not self._open:
                await self._bounded(self._sink.open())
                self._open = True
                self._reader.rewind(self._spool.acknowledged + 1)
                self._written = self._spool.acknowledged
            await self._write_or_flush()
        except SinkRefuses as refusal:
            self._put_aside(refusal)
        except SinkUnavailable as error:
            await self._pause(error.reason)
        except SinkMisconfigured as error:
            await self._pause(error.reason, longest=True)
        except Exception as error:  # a third party's code may raise anything; rows wait in the spool
            await self._pause(f"the sink failed: {cause_of(error)}", trace_of(error), longest=True)
        else:
            if self.problem:
                self._log.info("sink_reachable", away_s=round(self._backoff.away_s(time.monotonic()), 1))
                self.problem = ""
            self._backoff.succeeded()

    async def _write_or_flush(self) -> None:
        self._more.clear()
        rows = self._next_rows()
        if rows:
            self._written = rows[-1].number
            self._became_durable(await self._bounded(self._sink.write(rows)))
            return
        if self._ending or (self._spool.acknowledged < self._written and self._flush_is_due()):
            self._flushed_at = time.monotonic()
            self._became_durable(await self._bounded(self._sink.flush()))
        if not self._ending or self._spool.pending_rows:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S if not self._ending else 0.05):
                    await self._more.wait()

    def _flush_is_due(self) -> bool:
        interval_s = FLUSH_S if self._wants_room() else self._flush_s  # only what becomes durable makes room
        return interval_s is not None and time.monotonic() - self._flushed_at >= interval_s

    def _next_rows(self) -> list[SinkRow]:
        """Return the next rows but those that were refused."""
        while rows := self._reader.take(self._batch_rows, BATCH_BYTES):
            wanted = [row for row in rows if row.number not in self._refused] if self._refused else rows
            if self._reader.damaged_rows > self._damaged_reported:
                lost = self._reader.damaged_rows - self._damaged_reported
                self._damaged_reported = self._reader.damaged_rows
                self._log.error("spool_damaged", rows=lost)
            if wanted:
                return wanted
        return []

    def _became_durable(self, number: int) -> None:
        """Acknowledge rows up to `number`, and refused ones that follow directly."""
        before = self._spool.acknowledged
        number = min(max(number, before), self._written) if self._written > before else before
        while number + 1 in self._refused:
            number += 1
        if number > before:
            self._spool.acknowledge(number)
            skipped = {row for row in self._refused if row <= number}
            self._refused -= skipped
            self.delivered_total += number - before - len(skipped)

    def _put_aside(self, refusal: SinkRefuses) -> None:
        """Keep refused rows in the dead-letter file; deliver the others that are not durable again."""
        fresh = [(row, reason) for row, reason in refusal.rows if row.number not in self._refused]
        if not fresh or len(self._refused) + len(fresh) > REFUSED_MAX:
            raise SinkMisconfigured(f"the store refuses {len(self._refused) or 'no'} rows again: {refusal.reason}")
        self._dead_letters.write(fresh)
        self.refused_total += len(fresh)
        self._refused.update(row.number for row, _ in fresh)
        self._log.error("rows_refused", count=len(fresh), key=fresh[0][0].key, reason=fresh[0][1])
        self._written = self._spool.acknowledged
        self._became_durable(self._written)
        self._written = self._spool.acknowledged
        self._reader.rewind(self._written + 1)

    async def _pause(self, reason: str, trace: str = "", *, longest: bool = False) -> None:
        """Close the sink and wait before it is opened again."""
        self.failures_total += 1
        if reason != self.problem:
            if trace:
                self._log.error("sink_failed", reason=reason, trace=trace)
            else:
                self._log.error("sink_failed", reason=reason)
        self.problem = reason
        await self.close()
        pause_s = self._backoff.failed(time.monotonic())
        await asyncio.sleep(LONGEST_S if longest else pause_s)

    async def _bounded(self, call: Awaitable[T]) -> T:
        """Await a call of the sink for `CALL_S` at most; beyond that its store is unreachable."""
        self._call_since = time.monotonic()
        try:
            async with insistent_timeout(CALL_S):
                return await call
        except TimeoutError:
            raise SinkUnavailable(f"no answer within {CALL_S:g} s") from None
        except asyncio.CancelledError:
            self._cut_off = True
            raise
        finally:
            self._call_since = None
