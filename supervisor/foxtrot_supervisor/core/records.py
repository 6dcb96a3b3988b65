"""Plans and records of supervised children: plain data. Times are seconds on the monotonic clock."""

from __future__ import annotations

import enum
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct, field

from foxtrot_protocol.spec import ChildKind
from foxtrot_supervisor.config.schema import Restart
from foxtrot_supervisor.core.health import Health
from foxtrot_supervisor.core.lifecycle import PROCESS_STATES, Desired, State
from foxtrot_supervisor.core.stop_ladder import Rung

__all__ = [
    "CAUSE_CHARS_MAX",
    "DEATHS_REMEMBERED",
    "STACKS_CHARS_MAX",
    "ChildPlan",
    "ChildRecord",
    "Death",
    "Purpose",
    "Rotation",
    "tiers_of",
]

DEATHS_REMEMBERED: Final = 20
"""Deaths kept for each child: enough to show a pattern, few enough for `status`."""

CAUSE_CHARS_MAX: Final = 1000
"""Maximum length of a cause in characters: it comes from the child and goes to logs and `status`."""

STACKS_CHARS_MAX: Final = 64 * 1024
"""Maximum length of dumped stacks in characters; the rest is cut off."""


Rotation: TypeAlias = Literal["", "wanted", "going", "coming"]
""""wanted": asks to be replaced; "going": is being replaced; "coming": is to take over from the other side."""


class Purpose(enum.Enum):
    """Why a child is on its stop ladder; decides what follows from its death."""

    STOP = "stop"
    RESTART = "restart"
    UNWELL = "unwell"
    STALE = "stale"


class ChildPlan(Struct, frozen=True, kw_only=True):
    """What is supervised, and how; independent of what the child does."""

    name: str
    """Unique."""
    tier: int
    """Tiers start from low to high and stop from high to low; children of one tier together."""
    stop_tier: int | None = None
    """Tier in which it stops; None: that in which it starts."""
    restart: Restart = "permanent"
    essential: bool = True
    """Readiness, the state of the whole and the exit code depend on it."""
    kind: ChildKind = "connection"
    ours: bool = True
    """False: the application that started this supervisor; it gets requests, is never judged, killed or replaced."""
    fingerprint: str = ""
    """Hash of everything that its process is started with: another one needs a new process."""
    source: str = ""
    """Where its data come from; two processes with the same source may serve at the same time. "": nothing is known."""
    twin: str | None = None
    """The child that does the same work: no planned action takes both away at the same time."""
    spare: ChildPlan | None = None
    """Plan of the child that is started in its place for a rotation; None: it has a twin, or is never rotated."""
    ready_s: float | None = None
    """Limit for READY after HELLO, in seconds; None: the one that holds for all."""
    stale_after_s: float | None = None
    """Age of market data, in seconds, at which the *supervisor* replaces the child; above the child's own limit, so
    that it acts only where the child did not. None: never."""


class Death(Struct, frozen=True):
    """End of one incarnation; at most one of `code` and `signal` is set, none if there never was a process."""

    incarnation: int
    code: int | None
    signal: int | None
    rung: Rung | None
    """Rung of the stop ladder at which it ended; None: it ended without a request."""
    cause: str
    at: float
    stacks: str = ""
    """Stacks that were dumped before SIGKILL."""


class ChildRecord(Struct, kw_only=True):
    """Observed and requested state of a child. Written by the core only."""

    plan: ChildPlan
    state: State = State.STOPPED
    desired: Desired = Desired.STOPPED
    stopped_by_operator: bool = False
    """It is, or will be, without a process because an operator has stopped it; only an operator starts it again."""
    health: Health | None = None
    """None: no process, or one on the stop ladder."""
    cause: str = ""
    """Why it is in this state."""
    incarnation: int = 0
    """0: never started."""
    pid: int | None = None
    """None: no process, or it does not exist yet."""
    started_at: float | None = None
    """When the current process was created."""
    ready_at: float | None = None
    """When the current incarnation reported READY."""
    retry_at: float | None = None
    """In BACKOFF: when it is started again."""
    rung: Rung | None = None
    """Last rung of the stop ladder that the current incarnation has reached."""
    purpose: Purpose | None = None
    """Why the current incarnation is, or was, on its stop ladder; None: it is not."""
    restarts_total: int = 0
    """Incarnations started after the first, rotations excluded; carried over from side to side."""
    rotations_total: int = 0
    """How often this child, or with a spare the connection, was rotated."""
    rotation: Rotation = ""
    rotation_reason: str = ""
    """Why it wants to be rotated."""
    kills_total: int = 0
    """Number of incarnations that were sent SIGKILL."""
    late_messages_total: int = 0
    """Messages of incarnations that were dead already; ignored."""
    stacks: str = ""
    """Latest stacks dumped by any incarnation."""
    deaths: deque[Death] = field(default_factory=lambda: deque(maxlen=DEATHS_REMEMBERED))

    @property
    def name(self) -> str:
        """Its plan's name."""
        return self.plan.name

    @property
    def last_exit(self) -> Death | None:
        """Its latest death, if any."""
        return self.deaths[-1] if self.deaths else None

    @property
    def may_live(self) -> bool:
        """Whether a process of it may exist."""
        return self.state in PROCESS_STATES


def tiers_of(plans: Sequence[ChildPlan]) -> list[list[str]]:
    """Return the names of each tier, in reverse order of stop. Raise `ValueError` if two plans have the same name."""
    seen: set[str] = set()
    tiers: defaultdict[int, list[str]] = defaultdict(list)
    for plan in plans:
        if plan.name in seen:
            raise ValueError(f"two children are called {plan.name!r}")
        seen.add(plan.name)
        tiers[plan.tier if plan.stop_tier is None else plan.stop_tier].append(plan.name)
    return [tiers[number] for number in sorted(tiers)]
