"""Keeps the run directory of a running supervisor: notices what was removed from it and makes it again.

Cleaners of temporary files, and people, remove directories that are in use. What processes have mapped or connected
goes on working; what is opened by its path later does not. So each ring is held open here from when it is first seen:
if its file goes, a link to the held descriptor takes its place, and an engine that comes later still reads it. Workers
that write into such a ring are to be rotated, so that links are not for long.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Collection

from msgspec import Struct

from foxtrot_protocol import ring_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import HEADER_BYTES, RingFigures
from foxtrot_supervisor.report.unhandled_events import unhandled_in
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.run_dir import RunDir
from foxtrot_supervisor.system.private_files import open_kept

__all__ = ["LOOK_S", "REFRESH_S", "Look", "RunDirKeeper"]

LOOK_S = 0.5
"""Seconds between two checks of the directory."""

REFRESH_S = 600.0
"""Seconds between two renewals of file times: cleaners remove what was not used for days."""

_HELD_SHARE = 4
"""At most one in so many of the descriptors that this process may have holds a ring."""


class Look(Struct, frozen=True):
    """What one look has found."""

    made_again: bool = False
    """The directory or its lock was missing and is there again."""
    bereft: list[tuple[str, int]] = []
    """Living workers, with their incarnation, whose ring file was removed."""


class RunDirKeeper:
    """Looks after one run directory until `close`; `look` raises `AlreadyRunning` or `RunDirRefused` if it is lost."""

    def __init__(self, run_dir: RunDir, log: Log) -> None:
        self._run_dir = run_dir
        self._log = log
        self._held: dict[str, int] = {}
        self._linked: set[str] = set()
        self._refresh_at = time.monotonic() + REFRESH_S
        self._held_max = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _HELD_SHARE

    def look(self, living: Collection[tuple[str, int]]) -> Look:
        """Notice, and make again, what is missing. `living`: workers, with incarnation, that write into a ring."""
        missing = self._run_dir.missing()
        if missing:
            self._log.error("run_dir_lost", path=self._run_dir.path, missing=missing)
            self._run_dir.restore()
            self._log.warning("run_dir_made_again", path=self._run_dir.path)
        elif time.monotonic() >= self._refresh_at:
            self._refresh_at = time.monotonic() + REFRESH_S
            self._run_dir.refresh()
        return Look(made_again=bool(missing), bereft=self._keep_rings(living))

    def left(self) -> list[RingFigures]:
        """Figures of rings that are held here and can be seen nowhere else."""
        found = (_figures(fd) for name, fd in self._held.items() if not self._run_dir.exists(name))
        return [figures for figures in found if figures is not None]

    def close(self) -> None:
        """Let go of the rings."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def _keep_rings(self, living: Collection[tuple[str, int]]) -> list[tuple[str, int]]:
        names = self._run_dir.names()
        for name in names - self._held.keys():
            if ring_layout.parse_ring_name(name) is not None and len(self._held) < self._held_max:
                # one that cannot be opened is read by the engine, which says what is wrong with it
                with contextlib.suppress(OSError):
                    self._held[name] = open_kept(name, os.O_RDWR, self._run_dir.directory)
        for name in self._held.keys() - names:
            if self._identity(name) in living or (name not in self._linked and self._holds_events(name)):
                self._linked.add(name)
                self._log.error("ring_file_lost", ring=name, kept="read through the descriptor held by the supervisor")
                self._run_dir.link_descriptor(name, self._held[name])
            else:  # the engine has removed it
                os.close(self._held.pop(name))
                self._linked.discard(name)
        return sorted(ring for ring in map(self._identity, self._linked) if ring in living)

    def _identity(self, name: str) -> tuple[str, int]:
        return ring_layout.parse_ring_name(name) or ("", 0)

    def _holds_events(self, name: str) -> bool:
        figures = _figures(self._held[name])
        return figures is not None and bool(unhandled_in([figures], ()))


def _figures(descriptor: int) -> RingFigures | None:
    with contextlib.suppress(OSError, MalformedMessage):
        return ring_layout.figures(os.pread(descriptor, HEADER_BYTES, 0))
    return None
