"""Plan of a campaign of kills: which worker is killed, at which point of its work, in which order. Pure.

All follows from the seed. A *strike* kills a worker that serves; the incarnations after it may die in their turn before
they ever serve (`early`). Twins are struck in turn, never both: the other one has to serve before the next strike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from foxtrot_protocol.chaos import ChildPlan, Plan

__all__ = ["KILL_PHASES", "KillPhase", "Strike", "counted", "plan_for_kills", "spread_kills", "strikes_for"]

KillPhase: TypeAlias = Literal[
    "starting", "connecting", "handshake", "parse", "record", "mark", "send", "drain", "anywhere"
]

KILL_PHASES: Final[tuple[KillPhase, ...]] = (
    "starting",
    "connecting",
    "handshake",
    "parse",
    "record",
    "mark",
    "send",
    "drain",
    "anywhere",
)
"""Where a worker is killed: at a kill point (`foxtrot_protocol.chaos`), or from outside, wherever it is."""

_EARLY: Final[frozenset[str]] = frozenset({"starting", "connecting", "handshake"})

PASSES_MAX: Final = 30
PAUSE_S_MAX: Final = 0.1
"""Longest random time that a connection serves before the next strike, seconds."""

EARLY_IN_A_ROW_MAX: Final = 3


class Strike(Struct, frozen=True, kw_only=True):
    """Kill `incarnation` of `worker` in `phase`, `pause_s` after all sides serve; then `early` ones die unasked."""

    worker: str
    incarnation: int
    phase: KillPhase
    passes: int
    pause_s: float
    early: tuple[KillPhase, ...] = ()

    @property
    def next_incarnation(self) -> int:
        """The one that has to serve before the connection is struck again."""
        return self.incarnation + 1 + len(self.early)


def strikes_for(
    random: Callable[[], float], kills: int, sides: Sequence[str], phases: Sequence[KillPhase] = KILL_PHASES
) -> list[Strike]:
    """So many kills of the workers `sides` of one connection, in turn; every phase as often as any other."""
    incarnations = dict.fromkeys(sides, 1)
    strikes: list[Strike] = []
    left: list[KillPhase] = []
    turn = int(random() * len(sides))
    for _ in range(kills):
        if not left:
            left = _shuffled(phases, random)
        chained = strikes and len(strikes[-1].early) < EARLY_IN_A_ROW_MAX
        phase = left.pop()
        if phase in _EARLY and chained:
            last = strikes[-1]
            strikes[-1] = _with_early(last, phase)
            incarnations[last.worker] += 1
            continue
        if phase in _EARLY:  # there is nobody yet who could be born to die so early
            phase = "anywhere"
        worker = sides[turn % len(sides)]
        turn += 1
        strikes.append(
            Strike(
                worker=worker,
                incarnation=incarnations[worker],
                phase=phase,
                passes=int(random() * PASSES_MAX),
                pause_s=round(random() * PAUSE_S_MAX, 4),
            )
        )
        incarnations[worker] += 1
    return strikes


def _with_early(strike: Strike, phase: KillPhase) -> Strike:
    return Strike(
        worker=strike.worker,
        incarnation=strike.incarnation,
        phase=strike.phase,
        passes=strike.passes,
        pause_s=strike.pause_s,
        early=(*strike.early, phase),
    )


def _shuffled(phases: Sequence[KillPhase], random: Callable[[], float]) -> list[KillPhase]:
    left, shuffled = list(phases), []
    while left:
        shuffled.append(left.pop(min(int(random() * len(left)), len(left) - 1)))
    return shuffled


def plan_for_kills(strikes: Sequence[Strike]) -> Plan:
    """What the hook inside the workers has to know."""
    plan: Plan = {}
    for strike in strikes:
        parts = plan.setdefault(strike.worker, [])
        parts.append(_part(strike.incarnation, strike.phase, strike.passes))
        parts += [_part(place, phase, 0) for place, phase in enumerate(strike.early, strike.incarnation + 1)]
    return plan


def _part(incarnation: int, point: KillPhase, passes: int) -> ChildPlan:
    return ChildPlan(first=incarnation, last=incarnation, kill_at="" if point == "anywhere" else point, passes=passes)


def counted(strikes: Sequence[Strike]) -> Mapping[str, int]:
    """How many kills there are of each phase."""
    counts: dict[str, int] = dict.fromkeys(KILL_PHASES, 0)
    for strike in strikes:
        for phase in (strike.phase, *strike.early):
            counts[phase] += 1
    return counts


def spread_kills(kills: int, over_s: float, random: Callable[[], float]) -> list[float]:
    """Return when each kill is due, seconds after the begin: one at a random moment of each of `kills` equal parts.

    Args:
        kills: how many.
        over_s: length of the campaign, seconds.
        random: gives numbers from 0 to 1.
    """
    return [over_s * (number + random()) / kills for number in range(kills)]
