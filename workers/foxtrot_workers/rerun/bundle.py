"""Reproduces what a crash bundle is about: its frames, one at a time, through the adapter.

A bundle is a ZIP archive; frames are recordings in it, ``frames/<exchange>/<worker>-<incarnation>.jsonl``.
"""

from __future__ import annotations

import tempfile
import traceback
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_protocol.recorded_steps import LaneBatch, RecordingCounts, RejectedFrame
from foxtrot_workers.adapter import catalog
from foxtrot_workers.rerun.lane import Lane, ParserCrashed, lane_steps

__all__ = ["FRAME_CHARS_MAX", "BundleInvalid", "Rerun", "is_bundle", "rerun_bundle"]

FRAME_CHARS_MAX = 4_000
"""Characters of the guilty frame that are shown."""

MEMBER_BYTES_MAX = 1 << 30
"""Largest file of a bundle that is unpacked."""

_FRAMES = "frames"
_MANIFEST = "manifest.json"


class BundleInvalid(ValueError):
    """The file is no bundle, or a damaged one; the text says which and why."""


class Rerun(Struct, frozen=True, kw_only=True):
    """What the frames of one worker did."""

    bundle: str
    worker: str
    """``NAME-INCARNATION``."""
    exchange: str
    recorded_cause: str
    """Why the process died, as the bundle says."""
    frames_total: int
    batches_total: int
    rejected_total: int
    rejected: list[RejectedFrame]
    error: str
    """Exception of the parser; "" if it raised none."""
    trace: str
    frame_line: int | None = None
    """Line of the guilty frame in the recording, from 0."""
    frame_ns: int = 0
    """When it was received, ns since 1970."""
    frame: str = ""
    """Its text, as far as it is shown."""


def is_bundle(path: Path | str) -> bool:
    """Whether the file is a ZIP archive."""
    return zipfile.is_zipfile(path)


def rerun_bundle(path: Path | str) -> Iterator[Rerun]:
    """Yield a result for each worker of which the bundle has frames.

    Raises `BundleInvalid`, `RecordingError`, and `UnknownExchange` or ImportError where the exchange is not installed.
    """
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory(prefix="foxtrot-bundle-") as folder:
            manifest = _manifest(archive, path)
            for name in sorted(archive.namelist()):
                parts = PurePosixPath(name).parts
                if len(parts) != 3 or parts[0] != _FRAMES:
                    continue
                if archive.getinfo(name).file_size > MEMBER_BYTES_MAX:
                    raise BundleInvalid(f"{path}: {name} has more than {MEMBER_BYTES_MAX} bytes")
                frames = Path(folder, "frames.jsonl")
                frames.write_bytes(archive.read(name))
                yield _rerun(str(path), parts[1], parts[2].removesuffix(".jsonl"), frames, manifest)
    except (OSError, zipfile.BadZipFile) as error:
        raise BundleInvalid(f"{path}: {error}") from None


def _manifest(archive: zipfile.ZipFile, path: Path | str) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = msgspec.json.decode(archive.read(_MANIFEST), type=dict[str, Any])
    except (KeyError, msgspec.DecodeError):
        raise BundleInvalid(f"{path}: is no bundle: it has no readable {_MANIFEST}") from None
    return manifest


def _rerun(bundle: str, exchange: str, worker: str, frames: Path, manifest: dict[str, Any]) -> Rerun:
    counts = RecordingCounts()
    lane = Lane("bundle", "a", 1, catalog.adapter_class(exchange), frames)
    batches = 0
    crash: ParserCrashed | None = None
    try:
        for step in lane_steps(lane, counts, read_frames_max=1):
            batches += isinstance(step, LaneBatch)
    except ParserCrashed as found:
        crash = found
    result = Rerun(
        bundle=bundle,
        worker=worker,
        exchange=exchange,
        recorded_cause=str(manifest.get("cause", "")),
        frames_total=counts.frames_total,
        batches_total=batches,
        rejected_total=counts.rejected_total,
        rejected=[msgspec.structs.replace(each, path=worker) for each in counts.rejected],
        error="",
        trace="",
    )
    if crash is None:
        return result
    guilty = crash.frames[-1]
    return msgspec.structs.replace(
        result,
        error=f"{type(crash.error).__name__}: {crash.error}",
        trace="".join(traceback.format_exception(crash.error)),
        frame_line=guilty.line,
        frame_ns=guilty.receive_ns,
        frame=guilty.payload.decode(errors="replace")[:FRAME_CHARS_MAX],
    )
