"""Evidence that the kernel's OOM killer ended a given process.

SIGKILL alone is no evidence: operators, container runtimes and the kernel send the same signal. Two sources name the
process or narrow it down:

- the kernel log (``/dev/kmsg``) has a line "Killed process <pid>"; read where it may be read and where our process ids
  are those of the kernel (the initial PID namespace);
- else the counter ``oom_kill`` of our own control group (``memory.events.local`` or ``memory.events`` of cgroup v2,
  ``memory.oom_control`` of v1), if it has risen since it was last read, and if the process was in that very group.

The counter of the whole host (``oom_kill`` in ``/proc/vmstat``) is no evidence: it counts the processes of all users.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Literal, TypeAlias

__all__ = ["FRESH_S", "Evidence", "OomEvidence"]

Evidence: TypeAlias = Literal["", "process", "group"]
"""The OOM killer ended this process; it ended a process of this one's control group just now; nothing is known."""

FRESH_S = 60.0
"""Lines of the kernel log older than this many seconds may concern an earlier process with the same process id."""

READ_AGAIN_S = 0.05
"""Shortest interval between two readings of the log, in seconds: many processes may die together."""

_RECORDS_MAX = 100_000
_RECORD_BYTES_MAX = 8192
_KILLED = re.compile(rb"[Oo]ut of memory.*Killed process (\d+)")
_INITIAL_NAMESPACE = "pid:[4026531836]"
"""Name of the initial PID namespace; its number is fixed in the kernel (PROC_PID_INIT_INO)."""


class OomEvidence:
    """Finds evidence for deaths; keeps the last value of the counter. The paths are arguments for tests only."""

    def __init__(
        self, *, kernel_log: str = "/dev/kmsg", proc: str = "/proc", control_groups: str = "/sys/fs/cgroup"
    ) -> None:
        self._kernel_log = kernel_log
        self._proc = proc
        self._group = _read(f"{proc}/self/cgroup")
        self._counters = _counters(self._group, control_groups)
        self._pids_are_the_kernels = _link(f"{proc}/self/ns/pid") == _INITIAL_NAMESPACE
        self._count = self._read_count()
        self._read_at = float("-inf")
        self._victims: set[int] | None = None

    def look(self) -> None:
        """Read the counter, so that only later increases count as evidence."""
        self._count = self._read_count()

    def of(self, pid: int) -> Evidence:
        """Return what is known of the death of `pid`, which was ended by SIGKILL and is not reaped yet."""
        before = self._count
        self.look()
        victims = self._victims_in_the_log()
        if victims is not None:
            return "process" if pid in victims else ""
        if self._count > before and self._group and _read(f"{self._proc}/{pid}/cgroup") == self._group:
            self._count = before + 1  # each increase explains one death
            return "group"
        return ""

    def _read_count(self) -> int:
        for path in self._counters:
            for line in _read(path).splitlines():
                name, _, value = line.partition(" ")
                if name == "oom_kill" and value.strip().isdigit():
                    return int(value)
        return 0

    def _victims_in_the_log(self) -> set[int] | None:
        """Process ids that the log names as killed lately; None if there is no log that could name ours."""
        if not self._pids_are_the_kernels:
            return None
        now = time.monotonic()
        if now - self._read_at >= READ_AGAIN_S:
            self._read_at = now
            self._victims = _read_victims(self._kernel_log, now - FRESH_S)
        return self._victims


def _read_victims(path: str, since: float) -> set[int] | None:
    try:
        log = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    victims: set[int] = set()
    try:
        for _ in range(_RECORDS_MAX):
            try:
                record = os.read(log, _RECORD_BYTES_MAX)
            except BrokenPipeError:
                continue  # overwritten before it was read: the next one follows
            if not record:
                break
            found = _KILLED.search(record)
            if found is not None and _second_of(record) >= since:
                victims.add(int(found[1]))
    except BlockingIOError:
        pass  # the end of the log
    except OSError:
        return None
    finally:
        os.close(log)
    return victims


def _second_of(record: bytes) -> float:
    """Seconds after boot at which a record "priority,number,microseconds,flags;text" was written."""
    fields = record.partition(b";")[0].split(b",")
    return int(fields[2]) / 1e6 if len(fields) > 2 and fields[2].isdigit() else float("-inf")


def _counters(group: str, root: str) -> list[str]:
    """Files that may hold the counter of the control group that `group` (``/proc/self/cgroup``) names."""
    paths = []
    for line in group.splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        inside = path.lstrip("/")
        if not controllers:
            base = os.path.join(root, inside)
            paths += [os.path.join(base, "memory.events.local"), os.path.join(base, "memory.events")]
        elif "memory" in controllers.split(","):
            paths.insert(0, os.path.join(root, "memory", inside, "memory.oom_control"))
    return paths


def _read(path: str) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return Path(path).read_text()
    return ""


def _link(path: str) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(path)
    return ""
