"""The two sides of one connection: when one can stand in for the other, how fast rotations follow one another.

A connection has sides `a` and `b`. With ``redundancy = 2`` both live (twins): whatever is done to one on purpose (a
rotation, another configuration, an operator's restart) is done only while the other stands in for it. With
``redundancy = 1`` one lives, and the other is its *spare*: for a rotation the spare is started beside it, and only when
that stands in for it does it go. Decides only; the core acts.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct, structs

from foxtrot_supervisor.core.records import ChildPlan
from foxtrot_supervisor.core.restart import RETRY_AFTER_S_MAX, ROTATE_SERVED_S_MIN, RestartLimits, backoff_s

__all__ = ["CARRY_S_MAX", "SETTLE_S", "TWIN_APART_S", "Flow", "Pace", "carries", "other_side"]

TWIN_APART_S: Final = 10.0
"""The second of twins starts when the first is READY, and this many seconds after it at the latest."""

SETTLE_S: Final = 10.0
"""A quiet topic may send nothing for long: so many seconds after READY it is enough that some data flow."""

CARRY_S_MAX: Final = 60.0
"""A spare that does not stand in for the other side this many seconds after READY has failed."""


class Flow(Struct, frozen=True):
    """What a worker last told of its topics."""

    asked: int = 0
    """Not yet acknowledged."""
    flowing: int = 0
    """Whose data come."""


def carries(flow: Flow | None, ready_at: float, other: Flow | None, now: float) -> bool:
    """Return whether a side that reports `flow`, READY since `ready_at`, stands in for one that reports `other`.

    True if all its topics are acknowledged and data flow on at least as many of them as there; `SETTLE_S` after READY
    data on a single topic are enough. None: that side has reported nothing since READY.
    """
    if flow is None or flow.asked:
        return False
    wanted = other.flowing if other is not None else 0
    return flow.flowing >= (min(1, wanted) if now >= ready_at + SETTLE_S else wanted)


def other_side(plan: ChildPlan) -> ChildPlan:
    """The plan of the spare of `plan`, whose spare `plan` is then."""
    assert plan.spare is not None
    return structs.replace(plan.spare, spare=structs.replace(plan, spare=None))


class Pace:
    """When a connection may be rotated: the first time at once, later with the backoff of restarts.

    It goes on from one side to the other: an exchange that announces the end of every new connection is not connected
    to without a pause, and a spare that does not come up is not started again and again.
    """

    __slots__ = ("_attempt", "_closed_until", "_due")

    def __init__(self) -> None:
        self._attempt = 0
        self._due = 0.0
        self._closed_until = 0.0

    @property
    def not_before(self) -> float:
        """Monotonic seconds."""
        return max(self._due, self._closed_until)

    def wanted(self, now: float, served_s: float, limits: RestartLimits, random: float) -> None:
        """A side that has served for `served_s` wants to be replaced."""
        if served_s >= ROTATE_SERVED_S_MIN:
            self._attempt = 0
            self._due = now
        else:
            self._put_off(now, limits, random)

    def failed(self, now: float, limits: RestartLimits, random: float) -> None:
        """The spare did not come to stand in for it."""
        self._attempt = max(1, self._attempt)
        self._put_off(now, limits, random)

    def not_within(self, retry_after_s: float | None, now: float) -> None:
        """A side died, and its exchange had asked for this delay, if for any."""
        if retry_after_s is not None and retry_after_s > 0:
            self._closed_until = max(self._closed_until, now + min(retry_after_s, RETRY_AFTER_S_MAX))

    def _put_off(self, now: float, limits: RestartLimits, random: float) -> None:
        self._due = now + backoff_s(self._attempt, limits, random)
        self._attempt += 1
