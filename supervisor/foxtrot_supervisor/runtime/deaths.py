"""From the death of a child to its report: waits for its last messages, reads its exit note, names the cause."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.exit_note import ExitNote
from foxtrot_supervisor.core.death_causes import cause_beside_status, cause_with_note
from foxtrot_supervisor.core.inputs import Exited
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.runtime.exit_notes import take_exit_note
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.processes.processes import Child
from foxtrot_supervisor.runtime.processes.syscalls import ExitStatus
from foxtrot_supervisor.system.oom import OomEvidence

__all__ = ["FIRST_WORDS_S", "LAST_WORDS_S", "DeathReports", "Messages"]

LAST_WORDS_S = 0.1
"""Seconds after an abnormal exit within which the connection of the child is read to its end, its reason included."""

FIRST_WORDS_S = 0.02
"""The same for a child that has not been heard before its death."""

_READ_AGAIN_S = 0.001


class Messages(Protocol):
    """The messages of children, as far as a death is concerned."""

    def drain(self) -> None:
        """Take all messages that have arrived."""

    def connected(self, name: str, incarnation: int) -> bool:
        """Whether this child's connection is open."""


class DeathReports:
    """Reports each death once, after the last messages of the child: they decide whether it is restarted.

    Args:
        run_dir: where children leave their exit notes.
        messages: drained before the report.
        records: the core's records by name.
        memory_mib: the configured memory limit of a child, None without one.
        oom: evidence of the kernel's OOM killer.
        report: gets the child and the input for the core, before the child is reaped.
        log: gets ``child_crashed`` with the trace of the exit note.
    """

    def __init__(
        self,
        run_dir: str,
        messages: Messages,
        records: Mapping[str, ChildRecord],
        memory_mib: Callable[[str], int | None],
        oom: OomEvidence,
        report: Callable[[Child, Exited], None],
        log: Log,
    ) -> None:
        self._run_dir = run_dir
        self._messages = messages
        self._records = records
        self._memory_mib = memory_mib
        self._oom = oom
        self._report = report
        self._log = log
        self._explained: set[tuple[str, int]] = set()
        """Children that have sent a reason themselves."""
        self._waiting: dict[tuple[str, int], asyncio.TimerHandle] = {}

    def explained(self, name: str, incarnation: int) -> None:
        """Note that this child has sent the reason why it ends."""
        self._explained.add((name, incarnation))

    def on_exit(self, child: Child, status: ExitStatus) -> None:
        """`child` is dead. Its last messages may still be in flight."""
        note = take_exit_note(self._run_dir, child.name, child.incarnation)
        self._listen(child, status, note, time.monotonic())

    def close(self) -> None:
        """Report no more deaths."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()

    def _listen(self, child: Child, status: ExitStatus, note: ExitNote, died_at: float) -> None:
        key = child.name, child.incarnation
        self._waiting.pop(key, None)
        silent = status.exit_code in (0, None) or note.cause != ""
        # read before the messages are drained: after that a closed connection brings nothing more
        limit_s = 0.0 if silent else self._last_words_s(child)
        self._messages.drain()
        if silent or key in self._explained or time.monotonic() >= died_at + limit_s:
            self._finish(child, status, note)
        else:
            loop = asyncio.get_running_loop()
            self._waiting[key] = loop.call_later(_READ_AGAIN_S, self._listen, child, status, note, died_at)

    def _last_words_s(self, child: Child) -> float:
        """Return how many seconds after its death to wait for messages of `child`."""
        if self._messages.connected(child.name, child.incarnation):
            return LAST_WORDS_S
        was_heard = self._records[child.name].state in (State.CONNECTING, State.RUNNING)
        return 0.0 if was_heard else FIRST_WORDS_S

    def _finish(self, child: Child, status: ExitStatus, note: ExitNote) -> None:
        cause = self._cause_of(child, status, note)
        self._explained.discard((child.name, child.incarnation))
        if note.cause:
            self._log.error(
                "child_crashed", worker=child.name, incarnation=child.incarnation, cause=cause, trace=note.trace
            )
        self._report(child, Exited(child.name, child.incarnation, status.exit_code, status.signal, cause))

    def _cause_of(self, child: Child, status: ExitStatus, note: ExitNote) -> str:
        record = self._records[child.name]
        killed_by_us = record.rung in ("kill", "lost")
        unexplained = status.signal == signal.SIGKILL and not killed_by_us
        found = cause_beside_status(
            status.exit_code,
            status.signal,
            memory_mib=self._memory_mib(child.name),
            oom=self._oom.of(child.pid) if unexplained else "",
        )
        return cause_with_note(
            found,
            note,
            is_explained=(child.name, child.incarnation) in self._explained,
            on_ladder=record.cause if record.state is State.STOPPING else "",
            clean=status.exit_code == ChildExit.CLEAN,
        )
