"""The hot path of a worker: received frames are parsed into events, events are committed in batches.

A batch is flushed after the last frame of a read, at `BATCH_EVENTS_MAX` events, or at the next turn of the event loop.
`outflow` commits it, or drops and announces it under backpressure.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.events import MarketEvent
from foxtrot_protocol.log_limits import Repetition
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.notices import UnrecognizedFrame
from foxtrot_workers.feed.backpressure import Pressure
from foxtrot_workers.feed.batches import Batch

__all__ = ["BACKFILL_ROOM", "BATCH_EVENTS_MAX", "FRAME_ERRORS", "SAMPLE_BYTES", "BatchOutput", "Pipeline"]

FRAME_ERRORS = (msgspec.MsgspecError, UnrecognizedFrame, RecursionError, ValueError, LookupError)
"""What an adapter may raise for a frame (`foxtrot_workers.adapter.adapter`): the frame is rejected."""

BATCH_EVENTS_MAX = 512
"""A batch with this many events is flushed without waiting for the last frame of a read."""

SAMPLE_BYTES = 300
"""Beginning of a rejected frame or answer that is logged."""

BACKFILL_ROOM = 0.5
"""Part of the ring that must be free before backfilled events are committed: live events have priority."""


class BatchOutput(Protocol):
    """Where batches go: `outflow` in a worker."""

    @property
    def state(self) -> Pressure:
        """Present state of backpressure."""

    @property
    def used_bytes(self) -> int:
        """Bytes that the engine has not acknowledged."""

    def send(self, batch: Batch) -> None:
        """Commit a batch."""

    def announce(self) -> bool:
        """Commit the gaps of dropped events; False if some found no space."""


class Pipeline:
    """Parses the frames of one connection and flushes their events.

    Args:
        adapter: parses frames; its notices are handed to `on_notices`.
        outflow: commits batches.
        ring_bytes: size of the ring.
        log: receives rejected frames, at most one of each kind of error a minute.
        call_soon: schedules a callback for the next turn of the event loop.
        on_notices: called after a frame for which the adapter has left notices; it may append events.
        on_failure: called with an exception that is no error of a frame; the worker must end.
        record: keeps frames, with their time of receipt, before they are parsed; None: they are not kept.
        now_ns: wall clock, in nanoseconds since 1970; a replay gives the recorded time.
        on_rejected: called with each rejected frame and its error, in place of the log.
    """

    def __init__(
        self,
        adapter: Adapter,
        outflow: BatchOutput,
        ring_bytes: int,
        log: ChildLog,
        *,
        call_soon: Callable[[Callable[[], None]], Any],
        on_notices: Callable[[], None],
        on_failure: Callable[[BaseException], None],
        record: Callable[[list[bytes], int], None] | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        on_rejected: Callable[[bytes, Exception], None] | None = None,
    ) -> None:
        self._parse = adapter.parse
        self._parse_burst = adapter.parse_burst
        self._takes_bursts = type(adapter).parse_burst is not Adapter.parse_burst
        self._notices = adapter.notices
        self._outflow = outflow
        self._now_ns = now_ns
        self._on_rejected = on_rejected
        self._backfill_bytes_max = ring_bytes * (1.0 - BACKFILL_ROOM)
        self._log = log
        self._call_soon = call_soon
        self._on_notices = on_notices
        self._on_failure = on_failure
        self._record = record
        self._rejections: Repetition[str] = Repetition(repeats_max=1)
        self._flush_scheduled = False
        self.events: list[MarketEvent[str]] = []
        """The batch: parsed events that are not flushed yet. Each flush begins a new list."""
        self.frames_total = 0
        self.events_total = 0
        self.rejected_total = 0

    @property
    def pending(self) -> int:
        """Events that are not flushed yet."""
        return len(self.events)

    @property
    def templated_total(self) -> int:
        """Events made by templates (`template_pipeline`)."""
        return 0

    @property
    def templates_off_total(self) -> int:
        """Kinds of frames whose templates were switched off."""
        return 0

    def on_frames(self, frames: list[bytes], last: bool) -> None:
        """Parse frames that were received together; `last`: no further frames of this read follow. The hot path."""
        receive_ns = self._now_ns()
        self.frames_total += len(frames)
        try:
            if self._record is not None:
                self._record(frames, receive_ns)
            self._parse_all(frames, receive_ns)
            if last:
                if self.pending:
                    self.flush()
            elif not self._flush_scheduled:
                self._flush_scheduled = True
                self._call_soon(self._flush_scheduled_batch)
        except BaseException as error:
            # raised inside a callback of the client library: it must end the worker, not vanish in the library
            if self.pending:
                with contextlib.suppress(Exception):
                    self.flush()  # what was parsed before the failure
            self._on_failure(error)

    def append(self, event: MarketEvent[str]) -> None:
        """Add an event that comes from no frame; it is flushed at the next turn of the event loop, or earlier."""
        self.events.append(event)
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._call_soon(self._flush_scheduled_batch)

    def flush(self) -> None:
        """Commit the batch."""
        events, self.events = self.events, []
        self.events_total += len(events)
        self._outflow.send(events)

    def commit_backfill(self, events: Sequence[MarketEvent[str]]) -> bool:
        """Commit backfilled events as one batch; False: not now, live events need the ring."""
        outflow = self._outflow
        if outflow.state is not Pressure.FLOWING or outflow.used_bytes > self._backfill_bytes_max:
            return False
        if self.pending:
            self.flush()
        if not outflow.announce():
            return False
        self.events_total += len(events)
        outflow.send(list(events))
        return True

    def _parse_all(self, frames: list[bytes], receive_ns: int) -> None:
        if self._takes_bursts:
            self._parse_bursts(frames, receive_ns)
        else:
            self._parse_each(frames, receive_ns)

    def _parse_bursts(self, frames: list[bytes], receive_ns: int) -> None:
        """Let the adapter parse as many frames with one call as it can."""
        parse_burst, notices = self._parse_burst, self._notices
        index, count = 0, len(frames)
        while index < count:
            events = self.events
            stop = min(count, index + BATCH_EVENTS_MAX - len(events))
            index = parse_burst(frames, index, stop, receive_ns, events)
            if index < stop and not notices:
                self._parse_one(frames[index], receive_ns)
                index += 1
            if notices:
                self._on_notices()
            if len(self.events) >= BATCH_EVENTS_MAX:
                self.flush()

    def _parse_each(self, frames: list[bytes], receive_ns: int) -> None:
        parse, notices, events = self._parse, self._notices, self.events
        for frame in frames:
            try:
                parse(frame, receive_ns, events)
            except FRAME_ERRORS as error:
                self._reject(frame, error)
            if notices:
                self._on_notices()
                events = self.events
            if len(events) >= BATCH_EVENTS_MAX:
                self.flush()
                events = self.events

    def _parse_one(self, frame: bytes, receive_ns: int) -> bool:
        """Parse a frame, without handing its notices over; False if it was rejected."""
        try:
            self._parse(frame, receive_ns, self.events)
        except FRAME_ERRORS as error:
            self._reject(frame, error)
            return False
        return True

    def _flush_scheduled_batch(self) -> None:
        self._flush_scheduled = False
        if self.pending:
            self.flush()

    def _reject(self, frame: bytes, error: Exception) -> None:
        self.rejected_total += 1
        if self._on_rejected is not None:
            self._on_rejected(frame, error)
            return
        if self._rejections.admit(type(error).__name__, time.monotonic()) is None:
            return
        self._log.warning(
            "frame_rejected",
            rejected_total=self.rejected_total,
            reason=f"{type(error).__name__}: {error}"[:SAMPLE_BYTES],
            size_bytes=len(frame),
            sample=frame[:SAMPLE_BYTES].decode(errors="replace"),
        )
