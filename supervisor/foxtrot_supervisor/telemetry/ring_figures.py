"""Figures from the headers of the rings in a run directory, readable by any process of the same user."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from foxtrot_protocol import ring_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import HEADER_BYTES, RingFigures
from foxtrot_supervisor.system.private_files import open_kept, opened_directory

__all__ = ["list_rings", "read_figures", "scan_rings"]

_MARK_READS_MAX = 100
"""Attempts to read a mark that its writer is replacing."""

_UNFINISHED = RingFigures(
    worker="",
    incarnation=0,
    capacity_bytes=0,
    used_bytes=0,
    committed_events=0,
    applied_events=0,
    lost_events=0,
    redelivered_events=0,
    dropped_events=0,
)


def list_rings(run_dir: str) -> dict[str, list[str]]:
    """Return the names of the ring files in the directory, by worker."""
    found: dict[str, list[str]] = {}
    with contextlib.suppress(FileNotFoundError), opened_directory(run_dir) as directory:
        for name in os.listdir(directory):
            parsed = ring_layout.parse_ring_name(name)
            if parsed is not None:
                found.setdefault(parsed[0], []).append(name)
    return found


def read_figures(run_dir: str, names: Sequence[str] | None = None) -> list[RingFigures]:
    """Return the figures of every readable ring in the directory, by worker and incarnation.

    `names`: of the ring files to read; None: all.
    """
    return scan_rings(run_dir, names)[0]


def scan_rings(run_dir: str, names: Sequence[str] | None = None) -> tuple[list[RingFigures], list[tuple[str, int]]]:
    """Return the figures of every readable ring, and worker and incarnation of those that are damaged.

    A ring that its worker has not finished making holds nothing and is in neither list. The marks of a living ring may
    be replaced during the reading, so that ring may show up as damaged: only at the end of a run is that a finding.
    """
    found: list[RingFigures] = []
    damaged: list[tuple[str, int]] = []
    with contextlib.suppress(FileNotFoundError), opened_directory(run_dir) as directory:
        for name in os.listdir(directory) if names is None else names:
            parsed = ring_layout.parse_ring_name(name)
            if parsed is None:
                continue
            try:
                figures = _figures_of(name, directory)
            except FileNotFoundError:
                continue  # drained and removed meanwhile
            except (OSError, MalformedMessage):
                figures = None
            if figures is None:
                damaged.append(parsed)
            elif figures is not _UNFINISHED:
                found.append(figures)
    return sorted(found, key=lambda shown: (shown.worker, shown.incarnation)), sorted(damaged)


def _figures_of(name: str, directory: int) -> RingFigures | None:
    """The figures of one ring; `_UNFINISHED` before its first commit is possible, None if its marks do not fit."""
    fd = open_kept(name, os.O_RDONLY, directory)
    try:
        for _ in range(_MARK_READS_MAX):
            header = os.pread(fd, HEADER_BYTES, 0)
            if not header or ring_layout.read_identity(header) is None:
                return _UNFINISHED
            shown = ring_layout.figures(header)
            if shown is not None:
                return shown
    finally:
        os.close(fd)
    return None
