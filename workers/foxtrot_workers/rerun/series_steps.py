"""The segments of one worker as steps: one recorded incarnation after the other."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from msgspec import structs

from foxtrot_protocol.recorded_steps import RecordedStep, RecordingCounts
from foxtrot_protocol.segments import Session
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.replay.recording import RecordedFrame, read_recording
from foxtrot_workers.replay.series import Series
from foxtrot_workers.rerun.lane import Lane, lane_steps

__all__ = ["series_steps"]


def series_steps(
    series: Series, adapter: type[Adapter], counts: RecordingCounts, *, read_frames_max: int
) -> Iterator[RecordedStep]:
    """Yield the steps of all sessions of `series`, in the order of recording; `counts` grows.

    Each session has an adapter of its own. A session whose incarnation is not above that of the one before is of
    another run, and gets the next number. Raises as `lane_steps`.
    """
    sessions = _Sessions(series, counts)
    incarnation = at_ns = 0
    while (session := sessions.begin()) is not None:
        incarnation = max(incarnation + 1, session.incarnation)
        lane = Lane(session.connection, session.side, incarnation, adapter, sessions.path, frames=sessions.frames())
        for step in lane_steps(lane, counts, read_frames_max=read_frames_max):
            if step.at_ns < at_ns:  # the clock was set back between two sessions
                step = structs.replace(step, at_ns=at_ns)
            at_ns = step.at_ns
            yield step


class _Sessions:
    """Frames of a series, session by session."""

    def __init__(self, series: Series, counts: RecordingCounts) -> None:
        self._series = series
        self._counts = counts
        self.path = series.paths[0]
        """File of the frame that was read last."""
        self._all = self._read()
        self._next = next(self._all, None)
        self._session: Session | None = None

    def begin(self) -> Session | None:
        """Return the session of the next frame; None at the end."""
        if self._next is None:
            return None
        self._session = self._next.session or self._session
        # the segments before may have been removed, but each chunk says whose it is
        assert self._session is not None
        return self._session

    def frames(self) -> Iterator[RecordedFrame]:
        """Yield the frames of the session that `begin` returned."""
        while self._next is not None and self._next.session in (None, self._session):
            frame, self._next = self._next, next(self._all, None)
            yield frame

    def _read(self) -> Iterator[RecordedFrame]:
        for path in self._series.paths:
            self.path = path
            # only the last segment of a worker can be torn: what stands before is good
            yield from read_recording(
                path,
                on_damage=_ignore if path == self._series.paths[-1] else None,
                on_position=functools.partial(self._counts.positions.__setitem__, str(path)),
            )


def _ignore(_: str) -> None:
    """A growing segment, or one of a machine that went down."""
