"""What the core can be told and what it can ask for: two closed sets of plain data.

Inputs come in through ``Core.handle(input, now)``; the effects it returns are performed by the shell.
Neither holds a process handle, a socket or a clock. Times are seconds on the monotonic clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from foxtrot_protocol.events import WorkerStatus
from foxtrot_supervisor.config.schema import SupervisorConfig

if TYPE_CHECKING:
    from foxtrot_supervisor.core.records import ChildPlan  # which itself speaks of rungs

__all__ = [
    "Ask",
    "CapturedStacks",
    "ChildrenChanged",
    "DumpStacks",
    "Effect",
    "Exited",
    "FailureReported",
    "Fence",
    "Finish",
    "HeartbeatReceived",
    "HelloReceived",
    "Input",
    "Publish",
    "ReadyReceived",
    "RestartRequested",
    "RotationWanted",
    "Rung",
    "Signal",
    "Spawn",
    "SpawnFailed",
    "Spawned",
    "StartRequested",
    "StopRequested",
    "Tick",
]

Rung: TypeAlias = Literal["ask", "term", "kill", "lost"]
"""Steps of the stop ladder, gentlest first; "lost": SIGKILL did not end it in time."""


# ---- inputs


class Tick(Struct, frozen=True):
    """Time has passed; nothing else."""


class StartRequested(Struct, frozen=True):
    """Start everything, tier by tier."""


class Spawned(Struct, frozen=True):
    """The operating system has made the process."""

    name: str
    incarnation: int
    pid: int


class SpawnFailed(Struct, frozen=True):
    """The process could not be made."""

    name: str
    incarnation: int
    reason: str


class HelloReceived(Struct, frozen=True):
    """The child runs and its control link works."""

    name: str
    incarnation: int


class ReadyReceived(Struct, frozen=True):
    """The child serves."""

    name: str
    incarnation: int


class HeartbeatReceived(Struct, frozen=True):
    """The child's event loop turned. `data_age_s`: seconds since its last market data, None if not told.

    Of its topics, `asked` are not acknowledged yet, on `flowing` data come.
    """

    name: str
    incarnation: int
    data_age_s: float | None = None
    asked: int = 0
    flowing: int = 0


class RotationWanted(Struct, frozen=True):
    """The child serves, and should be replaced before its connection ends."""

    name: str
    incarnation: int
    reason: str


class FailureReported(Struct, frozen=True):
    """The child said why it is about to exit."""

    name: str
    incarnation: int
    cause: str
    retry_after_s: float | None = None


class CapturedStacks(Struct, frozen=True):
    """Stacks that a hung child dumped."""

    name: str
    incarnation: int
    text: str


class Exited(Struct, frozen=True):
    """The child is dead and reaped; one of `exit_code` and `signal` is None.

    `cause`: what the shell found out about it that the exit status does not tell (the kernel's OOM killer).
    """

    name: str
    incarnation: int
    exit_code: int | None
    signal: int | None
    cause: str = ""


class StopRequested(Struct, frozen=True):
    """Stop everything. A second one jumps to SIGKILL."""

    reason: str


class ChildrenChanged(Struct, frozen=True):
    """The configuration was read again: this, and nothing else, is to be supervised from now on.

    Who is not in `plans` is stopped and then forgotten; who is new is started once those of lower tiers serve; who
    has another fingerprint is replaced; who has not keeps its process.
    """

    plans: Sequence[ChildPlan]
    config: SupervisorConfig


class RestartRequested(Struct, frozen=True):
    """Stop one child by the ladder and start it again; revives a FATAL one.

    Refused where that would leave a connection of two sides without one that serves.
    """

    name: str


Input: TypeAlias = (
    Tick
    | StartRequested
    | Spawned
    | SpawnFailed
    | HelloReceived
    | ReadyReceived
    | HeartbeatReceived
    | RotationWanted
    | FailureReported
    | CapturedStacks
    | Exited
    | StopRequested
    | ChildrenChanged
    | RestartRequested
)


# ---- effects


class Spawn(Struct, frozen=True):
    """Make the process; answer with `Spawned` or `SpawnFailed`."""

    name: str
    incarnation: int


class Ask(Struct, frozen=True):
    """Send the STOP command."""

    name: str
    incarnation: int
    grace_s: float


class Signal(Struct, frozen=True):
    """Send a signal through the pidfd; `whole_session`: to every process of its session as well."""

    name: str
    incarnation: int
    signal: Literal["SIGTERM", "SIGKILL"]
    whole_session: bool = False


class DumpStacks(Struct, frozen=True):
    """Make the child dump the stacks of all its threads, soon to be killed."""

    name: str
    incarnation: int


class Fence(Struct, frozen=True):
    """Tell the engine that this incarnation is dead."""

    name: str
    incarnation: int


class Publish(Struct, frozen=True):
    """A state has changed: log it, tell the engine, keep it for status."""

    status: WorkerStatus


class Finish(Struct, frozen=True):
    """Everything has ended (or is LOST): audit, then leave with this exit code if the audit is clean."""

    exit_code: int


Effect: TypeAlias = Spawn | Ask | Signal | DumpStacks | Fence | Publish | Finish
