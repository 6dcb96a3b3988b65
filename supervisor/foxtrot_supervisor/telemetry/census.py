"""Census of this process: counts of threads, descriptors, tasks and children, by name. Read-only.

Threads are counted by the function that they run, descriptors by their target, tasks by their coroutine: a leak shows
as a name whose count grows.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.system.procfs import open_descriptors

__all__ = [
    "NAMES_MAX",
    "Census",
    "DescriptorFacts",
    "ProcessFacts",
    "TaskFacts",
    "ThreadFacts",
    "children",
    "descriptors",
    "more_of",
    "take_census",
    "tasks",
    "threads",
]

NAMES_MAX = 200
"""Largest number of names of each kind in a census; the most frequent ones are kept."""

_INODE = re.compile(r":\[\d+\]$")


class ThreadFacts(Struct, frozen=True):
    """One thread: its name, the function that it runs, whether it is a daemon."""

    name: str
    runs: str
    daemon: bool
    native_id: int | None


class TaskFacts(Struct, frozen=True):
    """One asyncio task: its name and that of its coroutine."""

    name: str
    runs: str


class DescriptorFacts(Struct, frozen=True):
    """One open descriptor and its target: a path, ``socket``, ``pipe``, ``anon_inode:[eventpoll]``."""

    number: int
    stands_for: str


class ProcessFacts(Struct, frozen=True):
    """One child of this process."""

    pid: int
    name: str
    state: str


class Census(Struct, frozen=True):
    """Counts by name."""

    rss_bytes: int
    threads: Counter[str]
    fds: Counter[str]
    tasks: Counter[str]
    garbage: int

    def figures(self) -> dict[str, float]:
        """Return totals by the names in `growth.LIMITS`."""
        return {
            "rss_bytes": float(self.rss_bytes),
            "threads": float(self.threads.total()),
            "open_fds": float(self.fds.total()),
            "tasks": float(self.tasks.total()),
            "garbage": float(self.garbage),
        }


def threads() -> list[ThreadFacts]:
    """Return all threads that Python knows."""
    return [
        ThreadFacts(thread.name, _runs(thread), thread.daemon, thread.native_id) for thread in threading.enumerate()
    ]


def tasks(loops: Sequence[asyncio.AbstractEventLoop]) -> list[TaskFacts]:
    """Return the unfinished tasks of `loops`; those of a loop that changes during the listing are left out."""
    found = []
    for loop in loops:
        with contextlib.suppress(RuntimeError):
            for task in asyncio.all_tasks(loop):
                coroutine = task.get_coro()
                found.append(TaskFacts(task.get_name(), getattr(coroutine, "__qualname__", repr(coroutine))))
    return found


def descriptors() -> list[DescriptorFacts]:
    """Return all open descriptors."""
    return [DescriptorFacts(number, _INODE.sub("", name)) for number, name in sorted(open_descriptors().items())]


def children() -> list[ProcessFacts]:
    """Return the children of this process, including zombies."""
    return [ProcessFacts(facts.pid, facts.name, facts.state) for facts in procfs.children_of(os.getpid())]


def take_census(loops: Sequence[asyncio.AbstractEventLoop] = ()) -> Census:
    """Take a census; costs a few hundred microseconds."""
    return Census(
        procfs.rss_bytes(),
        _counted(facts.runs for facts in threads()),
        _counted(facts.stands_for for facts in descriptors()),
        _counted(facts.runs for facts in tasks(loops)),
        len(gc.garbage),
    )


def more_of(now: Counter[str], before: Counter[str], count: int = 5) -> list[tuple[str, int]]:
    """Return up to `count` names whose count has grown since `before`, with the growth, the largest first."""
    return [(name, more) for name, more in (now - before).most_common(count) if more > 0]


def _counted(names: Iterable[str]) -> Counter[str]:
    counted = Counter(names)
    return counted if len(counted) <= NAMES_MAX else Counter(dict(counted.most_common(NAMES_MAX)))


def _runs(thread: threading.Thread) -> str:
    target: Any = getattr(thread, "_target", None)
    if target is not None:
        module = getattr(target, "__module__", "")
        return f"{module}.{getattr(target, '__qualname__', repr(target))}".lstrip(".")
    kind = type(thread)
    return f"{kind.__module__}.{kind.__qualname__}"
