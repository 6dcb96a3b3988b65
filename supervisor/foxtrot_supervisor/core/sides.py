"""The two sides of a connection: when one stands in for the other, and the pace of rotations. Decides only.

A connection has sides `a` and `b`. With ``redundancy = 2`` both run (twins): a planned replacement of one (a rotation,
another configuration, an operator's restart) happens only while the other stands in for it. With ``redundancy = 1`` one
runs, and the other is its *spare*: for a rotation the spare is started beside it, and the old side is retired once the
spare stands in for it.
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
"""Seconds after READY from which data on a single topic are enough: quiet topics may be silent for long."""

CARRY_S_MAX: Final = 60.0
"""Seconds after READY within which a spare must stand in for the other side; else it has failed."""


class Flow(Struct, frozen=True):
    """Counts of a worker's topics, as last reported."""

    asked: int = 0
    """Topics requested, not yet acknowledged."""
    flowing: int = 0
    """Topics that receive data."""


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
    """Return the plan of the spare of `plan`, with `plan` as its spare."""
    assert plan.spare is not None
    return structs.replace(plan.spare, spare=structs.replace(plan, spare=None))


class Pace:
    """When a connection may be rotated: at once the first time, later with the backoff of restarts.

    Handed over from side to side: an exchange that announces the end of every new connection is not reconnected to
    without a pause, and a spare that fails is not restarted in a loop.
    """

    __slots__ = ("_attempt", "_closed_until", "_due")

    def __init__(self) -> None:
        self._attempt = 0
        self._due = 0.0
        self._closed_until = 0.0

    @property
    def not_before(self) -> float:
        """Earliest time of the next rotation, in monotonic seconds."""
        return max(self._due, self._closed_until)

    def wanted(self, now: float, served_s: float, limits: RestartLimits, random: float) -> None:
        """Take a rotation request of a side that has served for `served_s` seconds."""
        if served_s >= ROTATE_SERVED_S_MIN:
            self._attempt = 0
            self._due = now
        else:
            self._put_off(now, limits, random)

    def failed(self, now: float, limits: RestartLimits, random: float) -> None:
        """Back off: the spare failed."""
        self._attempt = max(1, self._attempt)
        self._put_off(now, limits, random)

    def not_within(self, retry_after_s: float | None, now: float) -> None:
        """Keep the delay, in seconds, that the exchange requested of a side that has died; None: no delay."""
        if retry_after_s is not None and retry_after_s > 0:
            self._closed_until = max(self._closed_until, now + min(retry_after_s, RETRY_AFTER_S_MAX))

    def _put_off(self, now: float, limits: RestartLimits, random: float) -> None:
        self._due = now + backoff_s(self._attempt, limits, random)
        self._attempt += 1
