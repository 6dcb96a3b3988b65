"""What a campaign saw of nodes that were cut off from NATS, and what is promised about it. Pure.

Times are seconds from the cut; processes are timed by the clock of this machine, entries of holders by the stamps of
the NATS server, which is on the same machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from foxtrot_supervisor.chaos.rules.report import Figures, figures
from foxtrot_supervisor.chaos.rules.takeovers import Takeover
from foxtrot_supervisor.cluster.names import parse_local

__all__ = ["CUT_PLANS", "SINGLE_S", "Cut", "CutKind", "CutPlan", "cut_figures", "held_twice", "judge_cuts"]

CutKind: TypeAlias = Literal["stalled", "refused"]
"""Packets are dropped: connections stay open and bytes wait; or connections are reset, and refused."""

SINGLE_S: Final = 5.0
"""Promised time from the return of a node to the end of what it holds no more."""


class CutPlan(Struct, frozen=True):
    """How a node is cut off, and when it comes back."""

    kind: CutKind
    until: Literal["stopped", "taken"]
    """When its last worker has ended and its shards are served elsewhere; or as soon as others have taken them, while
    its own workers still run."""


CUT_PLANS: Final = (CutPlan("stalled", "stopped"), CutPlan("refused", "stopped"), CutPlan("stalled", "taken"))
"""Played in turn."""


class Cut(Struct, frozen=True, kw_only=True):
    """One cut."""

    node: str
    plan: CutPlan
    lease_s: float
    stopped_s: float | None
    """Until the last process of a worker had ended; None: not within the limit."""
    takeovers: list[Takeover]
    returned_s: float
    """When the network was whole again."""
    started_while_cut: list[str] = []
    """Workers that the node has started after the cut and before the return."""


def held_twice(workers: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the shards with living workers on more than one node, as text for people; `workers`: by node."""
    nodes: dict[str, set[str]] = {}
    for node, names in workers.items():
        for name in names:
            nodes.setdefault(parse_local(name).shard, set()).add(node)
    return [f"{shard} on {' and '.join(sorted(held))}" for shard, held in sorted(nodes.items()) if len(held) > 1]


def judge_cuts(cuts: Sequence[Cut], patience: float = 1.0) -> list[str]:
    """Return the promises about the cut nodes themselves that were broken, as text for people."""
    broken = []
    for cut in cuts:
        what = f"{cut.node}, {cut.plan.kind} until {cut.plan.until}"
        limit_s = cut.lease_s
        if cut.plan.until == "taken":
            limit_s = max(limit_s, cut.returned_s + SINGLE_S)
        limit_s *= patience
        if cut.stopped_s is None or cut.stopped_s > limit_s:
            took = "did not end" if cut.stopped_s is None else f"ended after {cut.stopped_s:.2f} s"
            broken.append(f"{what}: its last worker {took}, promised within {limit_s:.2f} s")
        broken += [f"{what}: has started {worker} without contact" for worker in cut.started_while_cut]
    return broken


def cut_figures(cuts: Sequence[Cut]) -> dict[str, Figures | None]:
    """Return the times of all cuts in milliseconds."""

    def stopped(until: str, since_return: bool) -> Figures | None:
        return figures(
            [
                (cut.stopped_s - cut.returned_s * since_return) * 1000.0
                for cut in cuts
                if cut.plan.until == until and cut.stopped_s is not None
            ]
        )

    served = [each.served_s * 1000.0 for cut in cuts for each in cut.takeovers if each.served_s is not None]
    return {
        "stopped_ms": stopped("stopped", False),
        "stopped_after_return_ms": stopped("taken", True),
        "served_elsewhere_ms": figures(served),
    }
