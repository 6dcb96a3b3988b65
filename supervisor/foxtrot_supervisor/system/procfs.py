"""Facts about processes from ``/proc``: parents, sessions, start times, environment markers.

Read-only. A process id may be reused a moment later: to act on one, open a pidfd first and read the facts again after
that (`processes` and `survivors` do). Imports the standard library only, since the guard loads it.
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
    """Return the facts of `pid`, None if there is no such process."""
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
    """Yield all visible processes; those that end meanwhile are left out."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            facts = read_facts(int(entry))
            if facts is not None:
                yield facts


def children_of(parent: int, *, but: Container[int] = ()) -> list[ProcessFacts]:
    """Return the children of `parent`, including zombies, without those whose process id is in `but`.

    Read from the kernel's list of children where it keeps one (a few microseconds, and some for each returned child),
    else found among all processes. Children that start or end meanwhile may be missed: call it again.
    """
    try:
        pids = child_pids(parent)
    except OSError:
        return [facts for facts in processes() if facts.parent == parent and facts.pid not in but]
    found = (read_facts(pid) for pid in pids if pid not in but)
    return [facts for facts in found if facts is not None and facts.parent == parent]


def child_pids(parent: int) -> list[int]:
    """Return the process ids of the children of `parent`.

    Raises FileNotFoundError where the kernel keeps no list, or `parent` has ended.
    """
    pids: list[int] = []
    for task in os.listdir(f"/proc/{parent}/task"):
        with open(f"/proc/{parent}/task/{task}/children", "rb") as children:
            pids.extend(int(pid) for pid in children.read().split())
    return pids


def with_descendants(pids: Sequence[int], parents: Sequence[int] = ()) -> Iterator[ProcessFacts]:
    """Yield the processes `pids` and all descendants of them and of `parents`, reading one at a time."""
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
    """Whether `pid` was started with environment variable `name` set to `value`; False if unknown."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as environ:
        return f"{name}={value}".encode() in environ.read().split(b"\0")
    return False


def file_locks_limit(pid: int) -> int | None:
    """Return the soft limit of `pid` for file locks; None if it has none or it is unknown."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/limits", "rb") as limits:
        for line in limits:
            if line.startswith(_FILE_LOCKS):
                return int(line[len(_FILE_LOCKS) :].split()[0])
    return None


def catches(pid: int, number: int) -> bool:
    """Whether `pid` has installed a handler for signal `number`; False if it has ended."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as status:
        for line in status:
            if line.startswith(b"SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def rss_bytes() -> int:
    """Return the resident memory of this process in bytes; 0 if unknown."""
    with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    return 0


def open_fds() -> int:
    """Return the number of open descriptors of this process; 0 if unknown."""
    with contextlib.suppress(OSError):
        return len(os.listdir("/proc/self/fd")) - 1  # without the descriptor of this listing
    return 0


def command_line(pid: int) -> str:
    """Return the command line of `pid` for messages, at most 200 characters; "" if it has ended."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as line:
        return line.read(4096).replace(b"\0", b" ").decode(errors="replace").strip()[:200]
    return ""


def open_descriptors() -> dict[int, str]:
    """Return the target of each open descriptor of this process."""
    found: dict[int, str] = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/self/fd/{entry}")
        except FileNotFoundError:
            continue  # the descriptor of this listing
    return found
