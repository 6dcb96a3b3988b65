"""Everything that is supervised, as data: the plan of each child and the record of what became of it.

Holds no process handle and decides nothing. Times are seconds on the monotonic clock.
"""

from __future__ import annotations

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
    "Rotation",
    "tiers_of",
]

DEATHS_REMEMBERED: Final = 20
"""Deaths kept for each child, latest last: enough to see a pattern, little enough for `status`."""

CAUSE_CHARS_MAX: Final = 1000
"""Length of a cause in characters at most: it comes from the child and goes to logs and `status`."""

STACKS_CHARS_MAX: Final = 64 * 1024
"""Length of dumped stacks in characters at most; what is beyond is cut off at the end."""


Rotation: TypeAlias = Literal["", "wanted", "going", "coming"]
"""It wants to be replaced; it is being replaced; it is to take over from the other side."""


class ChildPlan(Struct, frozen=True, kw_only=True):
    """What is to be supervised; data, no knowledge of what the child does."""

    name: str
    """Unique."""
    tier: int
    """Started from low to high, stopped from high to low; within a tier together."""
    restart: Restart = "permanent"
    essential: bool = True
    """Readiness, the state of the whole and the exit code depend on it."""
    kind: ChildKind = "connection"
    ours: bool = True
    """False: the application that started this supervisor, which is asked and never judged, killed or replaced."""
    fingerprint: str = ""
    """Of everything that its process is started with: only a new process can have another one."""
    twin: str | None = None
    """Who does the same work: nothing that is done on purpose takes both away at a time."""
    spare: ChildPlan | None = None
    """Who is started in its place for a rotation; has no spare itself. None: with a twin, or never rotated."""
    ready_s: float | None = None
    """Limit for READY after HELLO, in seconds; None: the one that holds for all."""
    stale_after_s: float | None = None
    """Age of market data at which the *supervisor* replaces the child, in seconds; beyond the child's own limit, so
    that it only acts where the child did not. None: never."""


class Death(Struct, frozen=True):
    """How one incarnation ended; one of `code` and `signal` is None, both if it was never made."""

    incarnation: int
    code: int | None
    signal: int | None
    rung: Rung | None
    """The rung of the stop ladder it ended at; None: it ended unasked."""
    cause: str
    at: float
    stacks: str = ""
    """What it was doing, where that was dumped before SIGKILL."""


class ChildRecord(Struct, kw_only=True):
    """What was observed of a child, and what is wanted of it. Only the core writes it."""

    plan: ChildPlan
    state: State = State.STOPPED
    desired: Desired = Desired.STOPPED
    health: Health | None = None
    """None: no process, or one on the stop ladder."""
    cause: str = ""
    """Why it is in this state."""
    incarnation: int = 0
    """0: never started."""
    pid: int | None = None
    """None: no process, or not made yet."""
    started_at: float | None = None
    """When the current process was made."""
    ready_at: float | None = None
    """When the current incarnation said READY."""
    retry_at: float | None = None
    """In BACKOFF: when it is started again."""
    rung: Rung | None = None
    """Last rung of the stop ladder that the current incarnation was given."""
    restarts_total: int = 0
    """Incarnations started after the first, but for rotations; goes on from side to side."""
    rotations_total: int = 0
    """Times that this one, or with a spare the connection, was rotated."""
    rotation: Rotation = ""
    rotation_reason: str = ""
    """Why it wants to be rotated."""
    kills_total: int = 0
    """Incarnations that were sent SIGKILL."""
    late_messages_total: int = 0
    """Messages of incarnations that were already dead; ignored."""
    stacks: str = ""
    """The latest stacks that were dumped by any incarnation."""
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
    """Return the names of each tier, in order of start. Raise `ValueError` if two plans have the same name."""
    seen: set[str] = set()
    tiers: defaultdict[int, list[str]] = defaultdict(list)
    for plan in plans:
        if plan.name in seen:
            raise ValueError(f"two children are called {plan.name!r}")
        seen.add(plan.name)
        tiers[plan.tier].append(plan.name)
    return [tiers[number] for number in sorted(tiers)]
