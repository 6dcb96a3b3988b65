"""One recorded incarnation: its frames through the pipeline of a worker, into batches.

The pipeline is the worker's own, templates included; the recorded time takes the place of the clock. What the worker
did because of a frame (requests, REST) is in the recording, so notices of the adapter are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from foxtrot_protocol.recorded_steps import (
    LaneBatch,
    LaneClosed,
    LaneHole,
    LaneOpened,
    RecordedStep,
    RecordingCounts,
    RejectedFrame,
)
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.feed.backpressure import Pressure
from foxtrot_workers.feed.batches import Batch, EitherEncoder
from foxtrot_workers.feed.template_pipeline import make_pipeline
from foxtrot_workers.replay.recording import RecordedFrame, RecordingError, read_recording
from foxtrot_workers.replay.replay import REASON_CHARS_MAX, REJECTED_SHOWN_MAX

__all__ = ["READ_FRAMES_MAX", "Lane", "ParserCrashed", "lane_steps"]

READ_FRAMES_MAX = 256
"""Frames of one time of receipt that are parsed together."""

_BATCH_BYTES_MAX = 1 << 30
_RING_BYTES = 1 << 40
"""No ring bounds a batch of a replay."""


class Lane(Struct, frozen=True):
    """A recorded incarnation, and where it is recorded."""

    connection: str
    side: str
    incarnation: int
    adapter: type[Adapter]
    path: Path
    frames: Iterator[RecordedFrame] | None = None
    """Its frames; None: all of `path`."""


class ParserCrashed(Exception):
    """A parser raised what ends a worker. `frames`: those that were received together, the guilty one among them.

    With `lane_steps(..., read_frames_max=1)` there is exactly one. The cause is the exception itself.
    """

    def __init__(self, path: Path, frames: list[RecordedFrame], error: BaseException) -> None:
        first, last = frames[0].line, frames[-1].line
        lines = f"line {first}" if first == last else f"lines {first} to {last}"
        super().__init__(f"{path}: {lines}: the parser raised {type(error).__name__}: {error}")
        self.path = path
        self.frames = frames
        self.error = error


def lane_steps(
    lane: Lane, counts: RecordingCounts, *, read_frames_max: int = READ_FRAMES_MAX
) -> Iterator[RecordedStep]:
    """Yield the steps of `lane`; `counts` grows. Raises `RecordingError` and `ParserCrashed`."""
    return _LaneRun(lane, counts, read_frames_max).steps()


class _Collected:
    """Takes the place of a worker's way to the engine: keeps the batches, and is never full."""

    state = Pressure.FLOWING
    used_bytes = 0

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def send(self, batch: Batch) -> None:
        self.batches.append(batch)

    def announce(self) -> bool:
        return True


class _NoLog:
    """Takes the place of a worker's log: rejected frames are counted and named, a template that is given up is not."""

    def _ignore(self, _event: str, /, **_fields: Any) -> None:
        """Write nothing."""

    debug = info = warning = error = _ignore


class _LaneRun:
    def __init__(self, lane: Lane, counts: RecordingCounts, read_frames_max: int) -> None:
        self._lane = lane
        self._counts = counts
        self._read_frames_max = read_frames_max
        self._adapter = lane.adapter(adopt=True)
        self._rules: Mapping[str, str] = self._adapter.identity_rules(())
        self._collected = _Collected()
        self._now_ns = 0
        self._read: list[RecordedFrame] = []
        self._pipeline = make_pipeline(
            self._adapter,
            self._collected,
            _RING_BYTES,
            _NoLog(),
            self._rules,
            call_soon=_never,
            on_notices=self._adapter.notices.clear,
            on_failure=self._fail,
            now_ns=lambda: self._now_ns,
            on_rejected=self._reject,
        )
        worker = f"{lane.connection}.{lane.side}"
        self._worker = worker
        self._encoder = EitherEncoder(worker, lane.incarnation, _BATCH_BYTES_MAX)
        self._sequence = 0
        self._at_ns = 0
        self._url = ""
        listed = self._adapter.instruments_path([])
        self._list_path = "" if listed is None else urlsplit(listed).path

    def steps(self) -> Iterator[RecordedStep]:
        lane = self._lane
        opened = False
        for read in self._reads():
            self._now_ns = read[0].receive_ns
            # the wall clock of the recorder may have been set back, and some recordings have no times
            self._at_ns = max(self._at_ns, self._now_ns)
            if not opened:
                opened = True
                yield LaneOpened(
                    self._at_ns, lane.connection, lane.side, lane.incarnation, self._adapter.exchange, dict(self._rules)
                )
            for lost in read[0].lost:
                number = "an unknown number of" if lost.frames is None else lost.frames
                cause = f"{number} frames are not in the recording: {lost.reason}"
                yield LaneHole(self._at_ns, self._worker, lane.incarnation, lost.after_ns, cause)
            self._note_time()
            if read[0].direction == "in":
                self._parse(read)
            else:
                self._answer(read[0])
            for batch in self._collected.batches:
                self._sequence += 1
                data = self._encoder.encode(self._sequence, self._now_ns, batch)
                yield LaneBatch(self._at_ns, self._worker, lane.incarnation, data)
            self._collected.batches.clear()
        if opened:
            yield LaneClosed(self._at_ns, self._worker, lane.incarnation)

    def _reads(self) -> Iterator[list[RecordedFrame]]:
        """Yield frames of the exchange that were received together, and each REST answer alone."""
        read: list[RecordedFrame] = []
        try:
            frames = self._lane.frames
            if frames is None:
                frames = read_recording(self._lane.path, on_position=self._note_position)
            for frame in frames:
                if read and (
                    frame.direction != "in"
                    or frame.lost
                    or frame.receive_ns != read[0].receive_ns
                    or frame.url not in ("", read[0].url)  # "": as before
                    or len(read) >= self._read_frames_max
                ):
                    yield read
                    read = []
                if frame.direction == "in":
                    read.append(frame)
                elif frame.direction == "http":
                    yield [frame]
        except RecordingError:
            if read:
                yield read  # what precedes the damage is good
            raise
        if read:
            yield read

    def _note_position(self, position: int) -> None:
        self._counts.positions[str(self._lane.path)] = position

    def _note_time(self) -> None:
        counts = self._counts
        if self._now_ns:
            counts.begin_ns = min(counts.begin_ns or self._now_ns, self._now_ns)
            counts.end_ns = max(counts.end_ns, self._now_ns)

    def _parse(self, read: list[RecordedFrame]) -> None:
        self._read = read
        url = read[0].url
        if url and url != self._url:
            self._url = url
            self._adapter.address(url)  # it may decide, for example, the unit of time
        self._counts.frames_total += len(read)
        self._pipeline.on_frames([frame.payload for frame in read], last=True)

    def _answer(self, frame: RecordedFrame) -> None:
        self._counts.answers_total += 1
        if frame.purpose in ("backfill", "instruments"):
            return  # for the worker, not for its adapter
        if self._list_path and urlsplit(frame.url).path.endswith(self._list_path):
            return  # names of instruments, for people
        self._read = [frame]
        adapter, pipeline = self._adapter, self._pipeline
        try:
            try:
                adapter.on_rest(frame.url, frame.status, frame.payload, frame.receive_ns, pipeline.events)
            except (msgspec.MsgspecError, RecursionError, ValueError, LookupError):
                adapter.on_rest(frame.url, 0, b"", frame.receive_ns, pipeline.events)
        except BaseException as error:
            self._fail(error)
        adapter.notices.clear()
        if pipeline.pending:
            pipeline.flush()

    def _reject(self, payload: bytes, error: Exception) -> None:
        counts = self._counts
        counts.rejected_total += 1
        if len(counts.rejected) < REJECTED_SHOWN_MAX:
            line = next(frame.line for frame in self._read if frame.payload is payload)
            reason = f"{type(error).__name__}: {error}"[:REASON_CHARS_MAX]
            counts.rejected.append(RejectedFrame(str(self._lane.path), line, reason))

    def _fail(self, error: BaseException) -> NoReturn:
        if isinstance(error, KeyboardInterrupt):
            raise error
        raise ParserCrashed(self._lane.path, self._read, error) from error


def _never(_: Any) -> None:
    """Schedule nothing: each read is flushed at its end."""
