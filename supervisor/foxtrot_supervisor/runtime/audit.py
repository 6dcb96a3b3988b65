"""Whether anything is left behind: looked up from the operating system and the interpreter, not from memory.

Run at the very end. Each kind of leftover is listed, so that a failed audit says what to look for.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Collection
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from foxtrot_protocol.standard_streams import WRITER_NAME
from foxtrot_supervisor.system.procfs import open_descriptors

__all__ = ["Audit", "Baseline", "audit", "take_baseline"]


class Baseline(Struct, frozen=True):
    """How it was at the start."""

    descriptors: dict[int, str]
    """What each names."""
    files: dict[int, tuple[int, int]]
    """Device and inode of each that names a file: the name changes when a log is rotated, or a terminal closed."""


class Audit(Struct, frozen=True):
    """What was found; all empty is clean."""

    children: list[str] = []
    """Processes of this run, dead or alive: ``pid name``."""
    threads: list[str] = []
    """Other threads than the main thread, and than writers of a stream that blocks (`standard_streams`)."""
    tasks: list[str] = []
    """Other tasks than the current one."""
    descriptors: list[str] = []
    """Descriptors that were not open at the start: ``number -> what it names``."""
    files: list[str] = []
    """Files of this run in its directory."""
    garbage: int = 0
    """Objects that the garbage collector could not free."""
    unhandled: list[dict[str, Any]] = []
    """Rings with events that no handler was given: ``worker``, ``incarnation``, ``events`` (None: unknown)."""

    @property
    def clean(self) -> bool:
        """Nothing was left behind, and every event was handled."""
        return self == Audit()

    @property
    def leftover(self) -> bool:
        """A process, thread, task, descriptor, file or object was left behind."""
        return replace(self, unhandled=[]) != Audit()

    def as_dict(self) -> dict[str, Any]:
        """One JSON object, ``clean`` first."""
        return {
            "clean": self.clean,
            "children": self.children,
            "threads": self.threads,
            "tasks": self.tasks,
            "descriptors": self.descriptors,
            "files": self.files,
            "garbage": self.garbage,
            "unhandled": self.unhandled,
        }


def take_baseline() -> Baseline:
    """Look at the process before anything of the run is made."""
    descriptors = open_descriptors()
    return Baseline(descriptors, {number: _file(number) for number, name in descriptors.items() if _is_path(name)})


def audit(
    baseline: Baseline,
    *,
    children: Collection[str],
    files: Collection[str],
    descriptors_allowed: Collection[int] = (),
    tasks_allowed: Collection[asyncio.Task[Any]] = (),
    unhandled: Collection[dict[str, Any]] = (),
) -> Audit:
    """Look again. The allowed ones are those that carry the audit's result to an operator.

    `children`, `files` and `unhandled` are the caller's findings.
    """
    gc.collect()
    return Audit(
        children=sorted(children),
        threads=_other_threads(),
        tasks=_other_tasks(tasks_allowed),
        descriptors=_new_descriptors(baseline, descriptors_allowed),
        files=sorted(files),
        garbage=len(gc.garbage),
        unhandled=list(unhandled),
    )


def _new_descriptors(baseline: Baseline, allowed: Collection[int]) -> list[str]:
    return [
        f"{number} -> {name}"
        for number, name in sorted(open_descriptors().items())
        if number not in allowed and baseline.descriptors.get(number) != name and not _renamed(number, name, baseline)
    ]


def _renamed(number: int, name: str, baseline: Baseline) -> bool:
    """Whether it is the file that it was, by another name."""
    return _is_path(name) and number in baseline.files and _file(number) == baseline.files[number]


def _is_path(name: str) -> bool:
    # what has no path (sockets, pipes, event loops) has names of its own
    return name.startswith("/")


def _file(number: int) -> tuple[int, int]:
    facts = os.fstat(number)
    return facts.st_dev, facts.st_ino


def _other_threads() -> list[str]:
    return sorted(
        thread.name
        for thread in threading.enumerate()
        if thread is not threading.main_thread() and thread.name != WRITER_NAME
    )


def _other_tasks(allowed: Collection[asyncio.Task[Any]]) -> list[str]:
    try:
        current = asyncio.current_task()
    except RuntimeError:  # no loop runs: there is nothing that could be a task
        return []
    return sorted(task.get_name() for task in asyncio.all_tasks() if task is not current and task not in allowed)
