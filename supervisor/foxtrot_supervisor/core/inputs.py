"""Inputs of the state machine: everything that `Core.handle` accepts, as plain data.

The shell translates what happens (messages, deaths, requests, elapsed time) into these. None of them holds a process
handle, a socket or a clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from foxtrot_protocol.errors import LocalError
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.records import ChildPlan

__all__ = [
    "CapturedStacks",
    "ChildrenChanged",
    "Exited",
    "FailureReported",
    "HeartbeatReceived",
    "HelloReceived",
    "Input",
    "ReadyReceived",
    "RequestRefused",
    "RestartRequested",
    "RotationWanted",
    "SpawnFailed",
    "Spawned",
    "StartRequested",
    "StopRequested",
    "Tick",
    "WorkersStopRequested",
]


class RequestRefused(LocalError):
    """The request cannot be served now; the text says why. Nothing was changed."""


class Tick(Struct, frozen=True):
    """Only time has passed. The shell sends it at `Core.next_deadline` at the latest."""


class StartRequested(Struct, frozen=True):
    """Start everything, tier by tier."""


class Spawned(Struct, frozen=True):
    """The process exists; answers `Spawn`."""

    name: str
    incarnation: int
    pid: int


class SpawnFailed(Struct, frozen=True):
    """The process could not be created; answers `Spawn`. `reason` is for people."""

    name: str
    incarnation: int
    reason: str


class HelloReceived(Struct, frozen=True):
    """HELLO: the child runs and its control link works."""

    name: str
    incarnation: int


class ReadyReceived(Struct, frozen=True):
    """READY: the child serves."""

    name: str
    incarnation: int


class HeartbeatReceived(Struct, frozen=True):
    """A heartbeat from the child's event loop.

    `data_age_s`: seconds since its latest market data, None if not reported. `asked`: topics requested but not yet
    acknowledged; `flowing`: topics that receive data.
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
    """The child reports why it is about to exit. `retry_after_s`: delay requested by the exchange, in seconds."""

    name: str
    incarnation: int
    cause: str
    retry_after_s: float | None = None


class CapturedStacks(Struct, frozen=True):
    """Stacks that a child dumped before SIGKILL; may arrive after its death."""

    name: str
    incarnation: int
    text: str


class Exited(Struct, frozen=True):
    """The child is dead; at most one of `exit_code` and `signal` is not None.

    `cause`: what the shell found out beyond the exit status (for example the kernel's OOM killer), "" if nothing.
    """

    name: str
    incarnation: int
    exit_code: int | None
    signal: int | None
    cause: str = ""


class StopRequested(Struct, frozen=True):
    """Stop everything; a second request means SIGKILL for everything."""

    reason: str


class ChildrenChanged(Struct, frozen=True):
    """A new configuration: from now on exactly `plans` are supervised, under the limits of `config`.

    Children missing from `plans` are stopped and then forgotten. New ones start once the lower tiers serve. A child
    whose fingerprint differs is replaced; the others keep their processes.

    `kill_at`: when what is no longer supervised is killed at the latest, seconds on the monotonic clock.
    """

    plans: Sequence[ChildPlan]
    config: SupervisorConfig
    kill_at: float = math.inf


class RestartRequested(Struct, frozen=True):
    """Take one child down its stop ladder and start it again; also revives a FATAL one.

    Refused where a connection with two sides would be left without a serving side.
    """

    name: str


class WorkersStopRequested(Struct, frozen=True):
    """Take these workers down their stop ladders and leave them stopped until `RestartRequested`.

    Refused as a whole if one of them cannot be stopped so.
    """

    names: Sequence[str]


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
    | WorkersStopRequested
)
