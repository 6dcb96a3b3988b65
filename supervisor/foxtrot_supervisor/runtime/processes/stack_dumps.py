"""Stacks of children that hang: asked for by SIGUSR2, read from the file that their fault handler writes.

A child that was stopped (SIGSTOP) is continued, so that it can write. One that has no fault handler yet
would die of the signal and is not sent it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

from foxtrot_supervisor.core.records import STACKS_CHARS_MAX
from foxtrot_supervisor.runtime.processes.processes import Child, Processes
from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.system.private_files import open_private, opened_directory

__all__ = ["LOOKS_MAX", "LOOK_S", "StackDumps", "stacks_name"]

LOOK_S = 0.05
"""Seconds between two reads of the file."""

LOOKS_MAX = 16
"""Reads at most, 0.8 s in all: SIGKILL follows 1 s after the request."""

OnStacks = Callable[[str, int, str], None]


class StackDumps:
    """Asks for stacks and collects them; `on_stacks(name, incarnation, text)` is called once for each request."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, run_dir: str, processes: Processes, on_stacks: OnStacks
    ) -> None:
        self._loop = loop
        self._run_dir = run_dir
        self._processes = processes
        self._on_stacks = on_stacks
        self._waiting: dict[int, asyncio.TimerHandle] = {}
        self._told: dict[int, str] = {}

    def ask(self, child: Child) -> None:
        """Make `child` dump; a child that cannot is passed over."""
        if child.pid in self._waiting or not procfs.catches(child.pid, signal.SIGUSR2):
            return
        self._processes.signal(child, signal.SIGUSR2)
        self._processes.signal(child, signal.SIGCONT)
        self._look_later(child, LOOKS_MAX, "")

    def ended(self, child: Child) -> None:
        """`child` is dead: report what it wrote since the last report, a crash's stack included; remove its file."""
        waiting = self._waiting.pop(child.pid, None)
        if waiting is not None:
            waiting.cancel()
        self._tell(child)
        self._told.pop(child.pid, None)
        with contextlib.suppress(OSError), opened_directory(self._run_dir) as directory:
            os.unlink(stacks_name(child.name, child.incarnation), dir_fd=directory)

    def close(self) -> None:
        """Look no more."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()

    def _look_later(self, child: Child, looks_left: int, seen: str) -> None:
        self._waiting[child.pid] = self._loop.call_later(LOOK_S, self._look, child, looks_left - 1, seen)

    def _look(self, child: Child, looks_left: int, seen: str) -> None:
        text = self._read(child)
        # the same twice: it has finished writing
        if looks_left > 0 and (not text or text != seen):
            self._look_later(child, looks_left, text)
            return
        del self._waiting[child.pid]
        self._tell(child)

    def _tell(self, child: Child) -> None:
        text = self._read(child)
        if text and text != self._told.get(child.pid):
            self._told[child.pid] = text
            self._on_stacks(child.name, child.incarnation, text)

    def _read(self, child: Child) -> str:
        name = stacks_name(child.name, child.incarnation)
        try:
            with opened_directory(self._run_dir) as directory:
                descriptor = open_private(name, os.O_RDONLY, directory)
            with open(descriptor, encoding="utf-8", errors="replace") as file:
                return file.read(STACKS_CHARS_MAX)
        except OSError:
            return ""


def stacks_name(name: str, incarnation: int) -> str:
    """File name of a child's stacks in the run directory."""
    return f"stacks-{name}-{incarnation}.txt"
