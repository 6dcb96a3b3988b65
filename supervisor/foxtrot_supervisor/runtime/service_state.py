"""Decides which notifications the service manager gets, and when (sd_notify(3)). Pure.

======================= =============================================================================================
message                 when, and only then
======================= =============================================================================================
READY                   every essential part serves for the first time; afterwards at the end of each reload
STATUS                  the whole or the number of those that serve has changed
RELOADING               a reload begins, after READY
STOPPING                the final stop begins, once, for whatever reason
EXTEND_TIMEOUT_USEC     there was progress: during the start a part serves that never did before, during the stop
                        one has ended. Time that passes is no progress, nor is a part that comes up again and again
======================= =============================================================================================

WATCHDOG is not decided here: the control loop says it each time it has turned.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from foxtrot_supervisor.core.children import Phase

__all__ = ["Extend", "Message", "Ready", "Reloading", "ServiceState", "Status", "Stopping"]


class Ready(Struct, frozen=True):
    """READY=1."""

    text: str


class Status(Struct, frozen=True):
    """STATUS alone."""

    text: str


class Reloading(Struct, frozen=True):
    """RELOADING=1."""


class Stopping(Struct, frozen=True):
    """STOPPING=1."""

    text: str


class Extend(Struct, frozen=True):
    """EXTEND_TIMEOUT_USEC: `seconds` from now for the next step."""

    seconds: float


Message = Ready | Status | Reloading | Stopping | Extend


class ServiceState:
    """The notifications sent so far; each method returns those to send now.

    `start_step_s`, `stop_step_s`: how long the next step of a start or a stop may take, in seconds.
    """

    __slots__ = ("_ended_total", "_ready", "_served", "_start_step_s", "_stop_step_s", "_stopping", "_text")

    def __init__(self, start_step_s: float, stop_step_s: float) -> None:
        self._start_step_s = start_step_s
        self._stop_step_s = stop_step_s
        self._text = ""
        self._ready = False
        self._stopping = False
        self._served: set[str] = set()
        self._ended_total = 0

    def adopt(self, start_step_s: float, stop_step_s: float) -> None:
        """Change the limits of the next steps, in seconds."""
        self._start_step_s = start_step_s
        self._stop_step_s = stop_step_s

    def look(self, phase: Phase, serving: Collection[str], parts: int, ended_total: int) -> list[Message]:
        """Take the state of the whole, the parts that serve, their total number, and how many processes have ended."""
        text = f"{phase}: {len(serving)} of {parts} serve"
        new = not self._served.issuperset(serving)
        self._served.update(serving)
        ended, self._ended_total = ended_total > self._ended_total, ended_total
        changed, self._text = text != self._text, text
        if phase in ("stopping", "stopped"):
            if not self._stopping:
                return self._stop(text)
            return [*self._status(changed), *([Extend(self._stop_step_s)] if ended and phase == "stopping" else [])]
        if phase == "running" and not self._ready:
            self._ready = True
            return [Ready(text)]
        return [*self._status(changed), *([Extend(self._start_step_s)] if new and phase == "starting" else [])]

    def reloading(self) -> list[Message]:
        """A reload begins."""
        return [Reloading()] if self._ready and not self._stopping else []

    def reloaded(self) -> list[Message]:
        """A reload has ended, successful or not."""
        return [Ready(self._text)] if self._ready and not self._stopping else []

    def broken(self) -> list[Message]:
        """An internal error ends the run."""
        return [] if self._stopping else self._stop("internal error")

    def _stop(self, text: str) -> list[Message]:
        self._stopping = True
        return [Stopping(text)]

    def _status(self, changed: bool) -> list[Message]:
        return [Status(self._text)] if changed else []
