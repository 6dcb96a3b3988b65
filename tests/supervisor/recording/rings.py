"""Frames rings, segments and a recorder for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

from foxtrot_protocol.frames_layout import FRAMES_DIRECTORY, FramesIdentity
from foxtrot_protocol.segments import Lost
from foxtrot_protocol.spec import RecorderSettings
from foxtrot_supervisor.recording.recorder import Recorder
from foxtrot_supervisor.recording.service import compressor
from foxtrot_workers.feed.frames_writer import FramesWriter
from foxtrot_workers.replay.recording import RecordedFrame, read_recording
from foxtrot_workers.replay.series import recording_series

CAPACITY = 256 * 1024


def a_ring(
    run_dir: Path, incarnation: int = 1, worker: str = "c.a", *, recorded: bool = True, started: int = 0
) -> FramesWriter:
    connection, _, side = worker.rpartition(".")
    identity = FramesIdentity(
        worker=worker,
        incarnation=incarnation,
        connection=connection,
        side=side,
        exchange="sim",
        capacity=CAPACITY,
        recorded=recorded,
        started_ns=started or incarnation,
    )
    writer = FramesWriter(str(run_dir), identity)
    writer.write_address(f"wss://example/{worker}")
    return writer


def settings(tmp_path: Path, **changes: Any) -> RecorderSettings:
    chosen = {"segment_bytes": 1 << 30, "segment_s": 3600.0, "level": 1, **changes}
    return RecorderSettings(directory=str(tmp_path / "recordings"), **chosen)


def a_recorder(tmp_path: Path, **changes: Any) -> Recorder:
    compress = compressor(1)
    assert compress is not None
    frames = str(tmp_path / FRAMES_DIRECTORY)
    return Recorder(settings(tmp_path, **changes), frames, compress, structlog.get_logger())


def recorded(tmp_path: Path) -> Iterator[RecordedFrame]:
    """Every line of every worker."""
    for series in recording_series(tmp_path / "recordings"):
        for path in series.paths:
            yield from read_recording(path)


def shown(tmp_path: Path) -> list[Any]:
    """Payloads as numbers or text; in their place before them, what is lost."""
    found: list[Any] = []
    for frame in recorded(tmp_path):
        found += [(lost.frames, lost.incarnation) for lost in frame.lost]
        text = frame.payload.split(b" ")[0].decode()
        found.append(int(text) if text.isdigit() else text)
    return found


def all_lost(tmp_path: Path) -> list[Lost]:
    return [lost for frame in recorded(tmp_path) for lost in frame.lost]
