"""Directories in which rings are linked for sinks, ``sinks/NAME`` in the run directory.

Workers link their rings there, sinks read them and remove the links. Rings end with the run; a spool that holds events
which its store does not have yet stays for the next run. So do rings that a killed run has left: they are set aside in
a directory of their own, ``left-NUMBER-RUN``, and the sink reads them first.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from foxtrot_protocol import ring_layout
from foxtrot_protocol.endpoints import left_name, parse_left_name, sink_directory

__all__ = [
    "LEFT_RUNS_MAX",
    "link_rings",
    "linked_rings",
    "make_directories",
    "remove_left",
    "remove_links",
    "set_aside",
]

LEFT_RUNS_MAX: Final = 4
"""Killed runs whose rings wait for one sink at most; those of further ones are removed unread."""

_FOLDER = "sinks"
_POSITIONS = "positions.map"


def make_directories(run_dir: str, sinks: Iterable[str]) -> None:
    """Create the directories of these sinks; raises OSError."""
    for sink in sinks:
        for directory in (os.path.join(run_dir, _FOLDER), sink_directory(run_dir, sink)):
            with contextlib.suppress(FileExistsError):
                os.mkdir(directory, 0o700)


def link_rings(run_dir: str, sink: str, workers: Mapping[str, int]) -> None:
    """Link the rings of running workers, by latest incarnation, for a sink that is new."""
    for worker, incarnation in workers.items():
        name = ring_layout.ring_name(worker, incarnation)
        with contextlib.suppress(OSError):  # it is linked already, or there is no ring yet: its worker links it
            os.link(os.path.join(run_dir, name), os.path.join(sink_directory(run_dir, sink), name))


def linked_rings(run_dir: str) -> dict[str, list[str]]:
    """Return the names of rings that are linked for each sink; nothing for one without any."""
    found = {}
    for sink in _sinks_in(run_dir):
        rings = [name for name in _entries(sink_directory(run_dir, sink)) if ring_layout.parse_ring_name(name)]
        if rings:
            found[sink] = sorted(rings)
    return found


def remove_links(run_dir: str, keep: Collection[str] = ()) -> None:
    """Remove what belongs to the run from the directories of all sinks but `keep`; and those that are empty then."""
    for sink in _sinks_in(run_dir):
        if sink in keep:
            continue
        directory = sink_directory(run_dir, sink)
        for name in _entries(directory):
            if name == _POSITIONS or ring_layout.parse_ring_name(name):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(directory, name))
        with contextlib.suppress(OSError):  # it holds a spool
            os.rmdir(directory)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.join(run_dir, _FOLDER))


def set_aside(run_dir: str, sink: str, run_id: str) -> bool:
    """Keep the rings of a killed run for the sink's next process; False if that is impossible."""
    directory = sink_directory(run_dir, sink)
    kept = sorted(left for name in _entries(directory) if (left := parse_left_name(name)))
    if len(kept) >= LEFT_RUNS_MAX:
        return False
    aside = os.path.join(directory, left_name(kept[-1][0] + 1 if kept else 1, run_id))
    try:
        os.mkdir(aside, 0o700)
        for name in _entries(directory):
            if name == _POSITIONS or ring_layout.parse_ring_name(name):
                os.rename(os.path.join(directory, name), os.path.join(aside, name))
    except OSError:
        return False
    return True


def remove_left(run_dir: str, keep: Collection[str]) -> list[str]:
    """Remove rings that were set aside for sinks other than `keep`; return the names of these sinks."""
    found = []
    for sink in _sinks_in(run_dir):
        directory = sink_directory(run_dir, sink)
        for name in _entries(directory) if sink not in keep else ():
            if parse_left_name(name):
                shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
                found.append(sink)
    return sorted(set(found))


def _sinks_in(run_dir: str) -> list[str]:
    return _entries(os.path.join(run_dir, _FOLDER))


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
