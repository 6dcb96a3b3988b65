"""What a path names: one recording, or a folder of the recorder's segments, one series for each worker."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from foxtrot_protocol.segments import SegmentName, parse_segment_name
from foxtrot_workers.replay.recording import RecordingError

__all__ = ["Series", "recording_series"]


class Series(Struct, frozen=True):
    """Files that continue each other."""

    path: Path
    """What was named: the file, or the folder."""
    worker: str
    """The worker whose segments they are; "" for a single file."""
    paths: list[Path]
    missing: list[int]
    """Numbers of segments that are missing between them."""


def recording_series(path: Path) -> list[Series]:
    """Return what `path` names, sorted by worker.

    A folder is one connection's or the recorder's whole directory. Raises `RecordingError` if there is nothing in it.
    """
    if not path.is_dir():
        return [Series(path, "", [path], [])]
    try:
        folders = [path, *(each for each in path.iterdir() if each.is_dir())]
        files = [each for folder in folders for each in folder.iterdir() if each.is_file()]
    except OSError as error:
        raise RecordingError(path, None, error.strerror or str(error)) from None
    found: dict[tuple[Path, str], list[tuple[SegmentName, Path]]] = {}
    for file in files:
        name = parse_segment_name(file.name)
        if name is not None:
            found.setdefault((file.parent, name.worker), []).append((name, file))
    if not found:
        raise RecordingError(path, None, "there is no segment of a recorder in this folder")
    series = []
    for (folder, worker), segments in sorted(found.items()):
        segments.sort()
        numbers = {name.number for name, _ in segments}
        missing = [number for number in range(min(numbers), max(numbers)) if number not in numbers]
        series.append(Series(folder, worker, [file for _, file in segments], missing))
    return series
