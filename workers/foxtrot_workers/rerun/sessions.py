"""Recordings of one or several connections as one sequence of steps, in the order of receipt."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from foxtrot_protocol.recorded_steps import RecordedStep, RecordingCounts
from foxtrot_workers.adapter import catalog
from foxtrot_workers.replay.recording import read_recording
from foxtrot_workers.replay.replay import SUFFIXES, guess_exchange
from foxtrot_workers.rerun.lane import READ_FRAMES_MAX, Lane, lane_steps

__all__ = ["Sessions", "open_sessions"]

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


class Sessions(Iterator[RecordedStep]):
    """The steps of all recordings (`foxtrot_protocol.recorded_steps.RecordedSteps`)."""

    def __init__(self, lanes: Sequence[Lane], *, read_frames_max: int = READ_FRAMES_MAX) -> None:
        self.counts = RecordingCounts(
            exchanges={str(lane.path): lane.adapter.name for lane in lanes},
            bytes_total=sum(lane.path.stat().st_size for lane in lanes),
        )
        runs = (lane_steps(lane, self.counts, read_frames_max=read_frames_max) for lane in lanes)
        # stable: where times are equal, in the order of `lanes`
        self._steps = heapq.merge(*runs, key=_at_ns)

    def __next__(self) -> RecordedStep:
        return next(self._steps)


def open_sessions(paths: Sequence[Path | str], exchange: str | None = None) -> Sessions:
    """Open recordings, each a connection of its own. All errors but those within a file are raised here.

    Args:
        paths: recordings.
        exchange: None: guessed for each recording from its addresses and its folder's name.

    Raises:
        UnknownExchange: the exchange is not installed, or cannot be guessed (a ValueError).
        RecordingError: a file cannot be opened.
        ImportError: the adapter cannot be loaded.
    """
    lanes: list[Lane] = []
    names: set[str] = set()
    for path in map(Path, paths):
        next(read_recording(path), None)
        name = exchange if exchange is not None else guess_exchange(path)
        connection = _free_name(_connection_name(path), names)
        lanes.append(Lane(connection, "a", 1, catalog.adapter_class(name), path))
    return Sessions(lanes)


def _connection_name(path: Path) -> str:
    """Return the name of the connection of a plain file: that of the file."""
    name = path.name
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return _NOT_IN_NAMES.sub("-", name).strip("-")[:64] or "recording"


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    taken.add(name)
    return name


def _at_ns(step: RecordedStep) -> int:
    return step.at_ns
