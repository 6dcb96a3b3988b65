"""The published files of a recording, on disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

from foxtrot_supervisor.tables.layout import FileName, Partition, parse_day, parse_folder, parse_name
from foxtrot_supervisor.tables.retention import KeptFile

__all__ = ["kept_files", "published_files", "remove_files"]

_FOLDERS = 4
"""Folders above a file: day, exchange, kind and bucket."""


def published_files(directory: str) -> Iterator[tuple[Partition, FileName, os.DirEntry[str]]]:
    """Yield every published file of the recording in `directory`; other files are passed over. Raises OSError.

    Files and folders that disappear meanwhile are passed over too.
    """
    for folder, path in _folders(directory, "", _FOLDERS):
        partition = parse_folder(folder)
        if partition is None:
            continue
        for entry in _entries(path):
            name = parse_name(entry.name)
            if name is not None:
                yield partition, name, entry


def kept_files(directory: str) -> list[KeptFile]:
    """Return the age and size of every published file. Raises OSError."""
    kept = []
    for partition, _name, entry in published_files(directory):
        day = parse_day(f"day={partition.day}")
        with contextlib.suppress(FileNotFoundError):
            facts = entry.stat(follow_symlinks=False)
            if day is not None:
                kept.append(KeptFile(day, facts.st_mtime_ns, entry.path, facts.st_size))
    return kept


def remove_files(files: Iterable[KeptFile]) -> int:
    """Remove files, and the folders that become empty; return how many were removed. Raises OSError."""
    removed = 0
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file.path)
            removed += 1
        folder = os.path.dirname(file.path)
        with contextlib.suppress(OSError):  # it is not empty
            for _ in range(_FOLDERS):
                os.rmdir(folder)
                folder = os.path.dirname(folder)
    return removed


def _folders(path: str, within: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the folders `depth` levels below `path`: their path within the recording, and their path."""
    if depth == 0:
        yield within, path
        return
    for entry in _entries(path):
        if "=" in entry.name and entry.is_dir(follow_symlinks=False):
            yield from _folders(entry.path, f"{within}/{entry.name}" if within else entry.name, depth - 1)


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
