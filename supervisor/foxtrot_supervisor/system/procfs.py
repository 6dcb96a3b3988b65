"""What the kernel tells about processes: parents, sessions, start times, environment markers.

Only reads. A process id read here may be recycled a moment later, so whoever acts on one holds a pidfd
first and reads again after (`process` and `survivors` do). Imports the standard library only: the guard loads it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

__all__ = [
    "ProcessFacts",
    "catches",
    "child_pids",
    "children_of",
    "command_line",
    "environ_holds",
    "file_locks_limit",
    "is_alive",
    "open_descriptors",
    "open_fds",
    "processes",
    "read_facts",
    "rss_bytes",
    "with_descendants",
]


_FILE_LOCKS = b"Max file locks"


class ProcessFacts(NamedTuple):
    """One process as ``/proc/<pid>/stat`` shows it; `start_ticks`: clock ticks after boot."""

    pid: int
    name: str
    state: str
    parent: int
    session: int
    start_ticks: int

    @property
    def zombie(self) -> bool:
        """Dead, waiting to be reaped."""
        return self.state in ("Z", "X")


def read_facts(pid: int) -> ProcessFacts | None:
    """The facts of `pid`, None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            text = stat.read()
    except OSError:
        return None
    # the name stands in parentheses and may itself hold parentheses and blanks: split at the last one
    head, _, tail = text.rpartition(b")")
    fields = tail.split()
    return ProcessFacts(
        pid=pid,
        name=head.partition(b"(")[2].decode(errors="replace"),
        state=fields[0].decode(),
        parent=int(fields[1]),
        session=int(fields[3]),
        start_ticks=int(fields[19]),
    )


def is_alive(pid: int) -> bool:
    """Whether `pid` is a process that has not ended."""
    facts = read_facts(pid)
    return facts is not None and not facts.zombie


def processes() -> Iterator[ProcessFacts]:
    """All processes that can be seen; those that end meanwhile are left out."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            facts = read_facts(int(entry))
            if facts is not None:
                yield facts


def children_of(parent: int, *, but: Container[int] = ()) -> list[ProcessFacts]:
    """Children of `parent`, dead and not yet reaped ones included, without those whose process id is in `but`.

    Taken from the kernel's own list where it keeps one (a few microseconds, and some for each child that is returned),
    else by looking at every process. Children that come or go meanwhile may be missed: look again.
    """
    try:
        pids = child_pids(parent)
    except OSError:
        return [facts for facts in processes() if facts.parent == parent and facts.pid not in but]
    found = (read_facts(pid) for pid in pids if pid not in but)
    return [facts for facts in found if facts is not None and facts.parent == parent]


def child_pids(parent: int) -> list[int]:
    """Process ids of the children of `parent`; `FileNotFoundError` where the kernel keeps no list, or it is gone."""
    pids: list[int] = []
    for task in os.listdir(f"/proc/{parent}/task"):
        with open(f"/proc/{parent}/task/{task}/children", "rb") as children:
            pids.extend(int(pid) for pid in children.read().split())
    return pids


def with_descendants(pids: Sequence[int], parents: Sequence[int] = ()) -> Iterator[ProcessFacts]:
    """The processes `pids`, and all descendants of them and of `parents`, one read at a time."""
    waiting = list(pids)
    yielded = set(pids)
    unseen = list(parents)
    while waiting or unseen:
        if waiting:
            pid = waiting.pop()
            facts = read_facts(pid)
            if facts is None:
                continue
            yield facts
        else:
            pid = unseen.pop()
        with contextlib.suppress(OSError):
            fresh = [child for child in child_pids(pid) if child not in yielded]
            yielded.update(fresh)
            waiting += fresh


def environ_holds(pid: int, name: str, value: str) -> bool:
    """Whether `pid` was started with environment variable `name` set to `value`; False if it cannot be told."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as environ:
        return f"{name}={value}".encode() in environ.read().split(b"\0")
    return False


def file_locks_limit(pid: int) -> int | None:
    """The soft limit of `pid` for file locks; None if it has none or it cannot be told."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/limits", "rb") as limits:
        for line in limits:
            if line.startswith(_FILE_LOCKS):
                return int(line[len(_FILE_LOCKS) :].split()[0])
    return None


def catches(pid: int, number: int) -> bool:
    """Whether `pid` has a handler of its own for signal `number`; False if it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as status:
        for line in status:
            if line.startswith(b"SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def rss_bytes() -> int:
    """Memory of this process that is in RAM; 0 if it cannot be told."""
    with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    return 0


def open_fds() -> int:
    """How many descriptors this process has open; 0 if it cannot be told."""
    with contextlib.suppress(OSError):
        return len(os.listdir("/proc/self/fd")) - 1  # without the one of this very look
    return 0


def command_line(pid: int) -> str:
    """The command line of `pid` for messages, at most 200 characters; "" if it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as line:
        return line.read(4096).replace(b"\0", b" ").decode(errors="replace").strip()[:200]
    return ""


def open_descriptors() -> dict[int, str]:
    """Every open descriptor of this process and what it names."""
    found: dict[int, str] = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/self/fd/{entry}")
        except FileNotFoundError:
            continue  # the descriptor of this very listing
    return found
