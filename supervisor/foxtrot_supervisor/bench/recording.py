"""What recording costs the feed: the product without it, with the frames ring alone, and with the recorder, in turn."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import Struct

from foxtrot_protocol.frames_layout import FRAMES_DIRECTORY
from foxtrot_protocol.segments import scan_chunks
from foxtrot_protocol.spec import RecorderSettings
from foxtrot_supervisor.bench.load import Load
from foxtrot_supervisor.bench.statistics import (
    RunResult,
    latency_figures,
    ratio_of,
    spread_of,
    throughput_figures,
)
from foxtrot_supervisor.bench.variants import System
from foxtrot_supervisor.config.schema import RecorderConfig

__all__ = ["PACED_PER_S", "RECORDER", "measure_recording", "recorder_settings"]

RECORDER: Final = "foxtrot_supervisor.recording.service:run"

SYSTEMS: Final[tuple[System, ...]] = ("foxtrot", "framed", "recorded")

KINDS: Final = ("trades", "mixed")

PACED_PER_S: Final = (1_000, 10_000)
"""Paces at which latencies are measured."""

THROUGHPUT_EVENTS: Final = 1_500_000


class _Runs(Protocol):
    """Part of `bench.Bench`."""

    recordings: str

    async def run(self, system: System, load: Load) -> RunResult: ...

    def told(self, text: str, done: int, total: int) -> None: ...


def recorder_settings(directory: str) -> RecorderSettings:
    """Return the recorder's defaults, with segments in `directory`."""
    config = RecorderConfig()
    return RecorderSettings(
        directory=directory,
        segment_bytes=config.segment_mib * 2**20,
        segment_s=config.segment_s,
        level=config.level,
    )


async def measure_recording(bench: _Runs, repeats: int, run_s: float, events: int | None) -> dict[str, Any]:
    """Measure all systems in turn, `repeats` times; return figures, and ratios of neighbouring runs.

    `run_s`: length of a paced run in seconds; `events`: of the others, None: `THROUGHPUT_EVENTS`.
    """
    loads = [Load(kind, events or THROUGHPUT_EVENTS) for kind in KINDS]
    loads += [Load("trades", int(rate * run_s), rate) for rate in PACED_PER_S]
    runs: dict[tuple[str, int], dict[str, list[RunResult]]] = {}
    sizes: dict[str, list[_Recorded]] = {}
    total = repeats * len(loads) * len(SYSTEMS)
    for repeat in range(repeats):
        for load in loads:
            for system in SYSTEMS:
                done = sum(len(each) for systems in runs.values() for each in systems.values())
                pace = f"{load.rate_per_s:,} events/s" if load.rate_per_s else load.kind
                bench.told(f"recording, {pace}, {system}, {repeat + 1} of {repeats}", done, total)
                _clean(bench.recordings)
                result = await bench.run(system, load)
                runs.setdefault((load.kind, load.rate_per_s), {}).setdefault(system, []).append(result)
                if system == "recorded" and not load.rate_per_s:
                    sizes.setdefault(load.kind, []).append(_recorded(bench.recordings, load.events))
                _clean(bench.recordings)
    return {
        "throughput": {kind: _throughput(runs[kind, 0]) for kind in KINDS},
        "latency": {str(rate): _latency(runs["trades", rate], rate) for rate in PACED_PER_S},
        "size": {kind: _size(found) for kind, found in sizes.items()},
    }


class _Recorded(Struct, frozen=True):
    """What one run has left."""

    sent: int
    """Frames that were sent."""
    lines: int
    lost: int
    """Frames that the recording says are missing."""
    plain: int
    """Bytes of all lines."""
    packed: int
    """Bytes of all files."""


def _size(runs: list[_Recorded]) -> dict[str, Any]:
    return {
        # a few lines are subscriptions and answers
        "kept": spread_of([min(1.0, run.lines / run.sent) for run in runs], 3),
        "announced": spread_of([run.lost / run.sent for run in runs], 3),
        "bytes_per_event": spread_of([run.packed / max(1, run.lines) for run in runs], 1),
        "compression": spread_of([run.plain / run.packed for run in runs], 1),
    }


def _throughput(runs: dict[str, list[RunResult]]) -> dict[str, Any]:
    per_s = {system: [run.events_per_s for run in each] for system, each in runs.items()}
    return {
        **{system: throughput_figures(each) for system, each in runs.items()},
        **{f"{system} to foxtrot": ratio_of(per_s[system], per_s["foxtrot"]) for system in SYSTEMS[1:]},
    }


def _latency(runs: dict[str, list[RunResult]], rate: int) -> dict[str, Any]:
    found = {system: [latency_figures(run, rate) for run in each] for system, each in runs.items()}
    return {
        system: {
            "p50_us": spread_of([each.p50_us or 0.0 for each in figures], 1),
            "p99_us": spread_of([each.p99_us or 0.0 for each in figures], 1),
        }
        for system, figures in found.items()
    }


def _recorded(directory: str, sent: int) -> _Recorded:
    """Return what the segments in `directory` hold; every event of these loads is one frame."""
    lines = lost = plain = packed = 0
    for path in Path(directory).glob("*/*"):
        data = path.read_bytes()
        packed += len(data)
        scan = scan_chunks(lambda at, size, data=data: data[at : at + size], len(data))  # type: ignore[misc]
        for chunk in scan.chunks:
            lines += chunk.header.lines
            lost += sum(each.frames or 0 for each in chunk.header.lost)
            plain += chunk.header.plain_bytes
    return _Recorded(sent, lines, lost, plain, max(1, packed))


def _clean(recordings: str) -> None:
    for folder in (recordings, os.path.join(os.path.dirname(recordings), FRAMES_DIRECTORY)):
        shutil.rmtree(folder, ignore_errors=True)
