"""What a replay has done."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from foxtrot_protocol.recorded_steps import RejectedFrame

__all__ = ["ReplayEnd", "ReplayReport", "ReplayedHandler", "ReplayedWorker"]

ReplayEnd: TypeAlias = Literal["complete", "period", "interrupted", "failed"]
"""``complete``: the recording has ended; ``period``: the end of the period came first; ``failed``: see `cause`."""


class ReplayedWorker(Struct, frozen=True):
    """Counts of one worker of the recording."""

    events: int
    """Events that handlers got of it."""
    copies: int
    """Events that another worker of the connection had brought already."""
    superseded: int
    """Updates of books that a snapshot contained."""
    gaps: int
    """Gaps announced with its events."""


class ReplayedHandler(Struct, frozen=True):
    """One registration of a handler. Times in microseconds, of a sample of its calls in the last 30 to 60 s."""

    type: str
    """"" for a general handler."""
    handler: str
    calls: int
    errors: int
    p50_us: float
    p99_us: float
    max_us: float
    suspended: bool


class ReplayReport(Struct, frozen=True, kw_only=True):
    """Result of a replay."""

    end: ReplayEnd
    cause: str
    begin_ns: int
    """Recorded time of the first frame; 0 if unknown."""
    end_ns: int
    """Recorded time that was reached."""
    wall_s: float
    """Time that the replay took."""
    handlers_s: float
    """Time in handlers of market events, ticks and bars included."""
    events_total: int
    """Market events and gaps that handlers got, ticks and bars aside."""
    gaps_total: int
    """Announced gaps among them."""
    ticks_total: int
    bars_total: int
    timers_total: int
    frames_total: int
    answers_total: int
    """REST answers."""
    rejected_total: int
    """Frames that could not be parsed."""
    rejected: list[RejectedFrame]
    """The first few."""
    dropped_total: int
    """Events put by handlers for which the queue had no room."""
    handler_errors_total: int
    workers: dict[str, ReplayedWorker]
    handlers: list[ReplayedHandler]

    @property
    def events_per_s(self) -> float:
        """Events handled for each second that the replay took."""
        return self.events_total / self.wall_s if self.wall_s else 0.0
