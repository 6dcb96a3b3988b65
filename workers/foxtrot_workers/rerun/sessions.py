"""Recordings of one or several connections as one sequence of steps, in the order of receipt."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from foxtrot_protocol.recorded_steps import RecordedStep, RecordingCounts
from foxtrot_workers.adapter import catalog
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.replay.recording import read_recording
from foxtrot_workers.replay.replay import SUFFIXES, guess_exchange
from foxtrot_workers.replay.series import Series, recording_series
from foxtrot_workers.rerun.lane import READ_FRAMES_MAX, Lane, lane_steps
from foxtrot_workers.rerun.series_steps import series_steps

__all__ = ["Sessions", "open_sessions"]

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


class Sessions(Iterator[RecordedStep]):
    """The steps of all recordings (`foxtrot_protocol.recorded_steps.RecordedSteps`)."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        series: Sequence[tuple[Series, type[Adapter]]] = (),
        *,
        read_frames_max: int = READ_FRAMES_MAX,
    ) -> None:
        """`lanes`: recordings of one incarnation each; `series`: segments of one worker each."""
        exchanges = {str(lane.path): lane.adapter.name for lane in lanes}
        exchanges |= {str(each.path / each.worker): adapter.name for each, adapter in series}
        paths = [*(lane.path for lane in lanes), *(path for each, _ in series for path in each.paths)]
        self.counts = RecordingCounts(exchanges=exchanges, bytes_total=sum(path.stat().st_size for path in paths))
        runs = [
            *(lane_steps(lane, self.counts, read_frames_max=read_frames_max) for lane in lanes),
            *(series_steps(each, adapter, self.counts, read_frames_max=read_frames_max) for each, adapter in series),
        ]
        # stable: where times are equal, in the order of `lanes`
        self._steps = heapq.merge(*runs, key=_at_ns)

    def __next__(self) -> RecordedStep:
        return next(self._steps)


def open_sessions(paths: Sequence[Path | str], exchange: str | None = None) -> Sessions:
    """Open recordings, each a connection of its own. All errors but those within a file are raised here.

    Args:
        paths: recordings of a connection each, segments of a recorder, or folders of them.
        exchange: None: guessed for each recording from its addresses and its folder's name.

    Raises:
        UnknownExchange: the exchange is not installed, or cannot be guessed (a ValueError).
        RecordingError: a file cannot be opened.
        ImportError: the adapter cannot be loaded.
    """
    lanes: list[Lane] = []
    series: list[tuple[Series, type[Adapter]]] = []
    names: set[str] = set()
    for each in (each for path in paths for each in recording_series(Path(path))):
        path = each.paths[0]
        first = next(read_recording(path, on_damage=lambda _: None), None)
        adapter = catalog.adapter_class(exchange if exchange is not None else guess_exchange(path))
        if each.worker or (first is not None and first.session is not None):
            series.append((each, adapter))
        else:
            lanes.append(Lane(_free_name(_connection_name(path), names), "a", 1, adapter, path))
    return Sessions(lanes, series)


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
