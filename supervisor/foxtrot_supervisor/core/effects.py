"""Effects of the state machine: everything that `Core.handle` can ask the shell to do, as plain data."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from foxtrot_protocol.events import WorkerStatus
from foxtrot_supervisor.core.records import Purpose, Rotation

__all__ = ["Ask", "DumpStacks", "Effect", "Fence", "Finish", "Publish", "Signal", "Spawn"]


class Spawn(Struct, frozen=True):
    """Create the process; answer with `Spawned` or `SpawnFailed`."""

    name: str
    incarnation: int


class Ask(Struct, frozen=True):
    """Send the STOP command; `grace_s`: seconds until SIGTERM."""

    name: str
    incarnation: int
    grace_s: float


class Signal(Struct, frozen=True):
    """Send a signal through the pidfd; `whole_session`: also to every other process of the session."""

    name: str
    incarnation: int
    signal: Literal["SIGTERM", "SIGKILL"]
    whole_session: bool = False


class DumpStacks(Struct, frozen=True):
    """Have the child dump the stacks of all its threads: SIGKILL is about to follow."""

    name: str
    incarnation: int


class Fence(Struct, frozen=True):
    """Tell the engine that this incarnation is dead."""

    name: str
    incarnation: int


class Publish(Struct, frozen=True):
    """A state has changed: log it and tell the engine."""

    status: WorkerStatus
    purpose: Purpose | None = None
    """Why it is, or was, on its stop ladder; None: it is not."""
    rotation: Rotation = ""
    """Its part in a rotation."""


class Finish(Struct, frozen=True):
    """Every child has ended or is LOST: audit, then exit with this code if the audit is clean."""

    exit_code: int


Effect: TypeAlias = Spawn | Ask | Signal | DumpStacks | Fence | Publish | Finish
