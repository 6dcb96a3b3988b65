"""Runs of this user, found by the lock file that each supervisor holds open.

A supervisor writes the path of its configuration file into its lock. So its run is found by that file even if the file
was changed, broken, moved or removed since, and even if the run directory was removed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import msgspec
from msgspec import Struct

__all__ = ["KnownRun", "find_runs", "runs_started_with"]

LOCK_BYTES_MAX = 4096

_LOCK = "/lock"
_REMOVED = " (deleted)"


class KnownRun(Struct, frozen=True):
    """Content of a supervisor's lock file, and the directory of that file (`run_dir`)."""

    run_id: str
    pid: int
    start_ticks: int
    config: str = ""
    config_file: tuple[int, int] | None = None
    run_dir: str = ""


def find_runs() -> list[KnownRun]:
    """Return all runs of this user, by directory."""
    found = {run.run_id: run for run in _open_locks()}
    return sorted(found.values(), key=lambda run: run.run_dir)


def runs_started_with(runs: list[KnownRun], path: str, identity: tuple[int, int] | None) -> list[KnownRun]:
    """Return those of `runs` that were started with the file at `path`, or with the file that is there now.

    `identity`: device and inode of that file, None if there is none.
    """
    return [run for run in runs if run.config and (run.config == path or (identity and run.config_file == identity))]


def _open_locks() -> Iterator[KnownRun]:
    own = os.geteuid()
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid != own:
                continue
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    name = f"/proc/{pid}/fd/{descriptor}"
                    run = _read_lock(name, os.readlink(name))
                    if run is not None:
                        yield run


def _read_lock(name: str, target: str) -> KnownRun | None:
    path = target.removesuffix(_REMOVED)
    if not path.endswith(_LOCK) or not path.startswith("/"):
        return None
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            return None
        text = os.pread(descriptor, LOCK_BYTES_MAX, 0)
    finally:
        os.close(descriptor)
    try:
        return msgspec.structs.replace(msgspec.json.decode(text, type=KnownRun), run_dir=os.path.dirname(path))
    except (ValueError, RecursionError):
        return None  # the lock of another program
