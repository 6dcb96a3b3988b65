"""What a recording is, for an engine: steps of recorded connections in the order of their receipt.

The seam between those who read recordings and the engine that replays them, so that neither imports the other. Batches
are the bytes that a worker commits (`framing.Batch`), so the engine decodes and merges them as it does live.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeAlias

from msgspec import Struct

__all__ = [
    "LaneBatch",
    "LaneClosed",
    "LaneHole",
    "LaneOpened",
    "RecordedStep",
    "RecordedSteps",
    "RecordingCounts",
    "RejectedFrame",
    "UnreadableRecording",
]


class LaneOpened(Struct, frozen=True):
    """A recorded incarnation begins. `at_ns`: recorded time, as in every step; it never decreases.

    `connection`: under this name the engine merges incarnations; `side` tells its workers apart. `rules`: how copies
    are recognized, by event type (`identity`).
    """

    at_ns: int
    connection: str
    side: str
    incarnation: int
    exchange: str
    rules: dict[str, str]

    @property
    def worker(self) -> str:
        """Name of the worker, as in a run."""
        return f"{self.connection}.{self.side}"


class LaneBatch(Struct, frozen=True, gc=False):
    """Events of frames that were received together; `data`: the bytes of a batch of `worker`."""

    at_ns: int
    worker: str
    incarnation: int
    data: bytes


class LaneHole(Struct, frozen=True):
    """Frames of a worker are missing in its recording, for `cause`; received after `start_ns`, 0 if unknown."""

    at_ns: int
    worker: str
    incarnation: int
    start_ns: int
    cause: str


class LaneClosed(Struct, frozen=True):
    """A recorded incarnation has ended: nothing more comes of it."""

    at_ns: int
    worker: str
    incarnation: int


RecordedStep: TypeAlias = LaneOpened | LaneBatch | LaneHole | LaneClosed


class RejectedFrame(Struct, frozen=True):
    """A recorded frame that could not be parsed: it has no events. `frame`: number of its line, from 0."""

    path: str
    frame: int
    reason: str


class RecordingCounts(Struct):
    """What has been read so far."""

    frames_total: int = 0
    """Frames from the exchange, parsed or rejected."""
    answers_total: int = 0
    """REST answers."""
    rejected_total: int = 0
    rejected: list[RejectedFrame] = []
    """The first few."""
    exchanges: dict[str, str] = {}
    """Exchange of each recording, by its path."""
    begin_ns: int = 0
    """Recorded time of the first frame; 0 if unknown."""
    end_ns: int = 0
    """Recorded time of the latest frame; 0 if unknown."""
    positions: dict[str, int] = {}
    """Bytes that have been read of each file."""
    bytes_total: int = 0
    """Bytes of all files."""

    @property
    def bytes_done(self) -> int:
        """Bytes of all files that have been read."""
        return sum(self.positions.copy().values())


class UnreadableRecording(ValueError):
    """A recording cannot be read further; the text names the file and the reason."""


class RecordedSteps(Protocol):
    """Iterates over the steps; raises `UnreadableRecording`, or what a parser raised that must not."""

    counts: RecordingCounts
    """Grows while steps are taken."""

    def __iter__(self) -> Iterator[RecordedStep]: ...

    def __next__(self) -> RecordedStep: ...
