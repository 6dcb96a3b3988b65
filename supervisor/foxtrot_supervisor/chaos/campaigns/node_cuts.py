"""Cuts a node off from NATS while it lives, and measures until when its workers run: `chaos --node-cuts`."""

from __future__ import annotations

import time
from typing import Final

from foxtrot_supervisor.chaos.campaigns.cluster_run import TAKEOVER_S, ClusterRun
from foxtrot_supervisor.chaos.harness.cluster_ground import Host
from foxtrot_supervisor.chaos.harness.process_ends import ProcessEnds
from foxtrot_supervisor.chaos.harness.supervised_run import Trouble
from foxtrot_supervisor.chaos.rules.cuts import Cut, CutPlan
from foxtrot_supervisor.chaos.rules.takeovers import Takeover

__all__ = ["LEASE_S", "cut_node"]

LEASE_S: Final = 4.0
"""`lease_s` of the nodes: their stop begins after three seconds."""

LOOK_S: Final = 0.01
"""Longest time between two looks at the entries of the holders."""


def cut_node(run: ClusterRun, plan: CutPlan) -> Cut:
    """Cut one node off, and let it return as `plan` says. Raises `Trouble`."""
    name, shards, instance = run.a_holder()
    node = run.nodes[name]
    pids = [worker["pid"] for worker in run.status(node)["workers"] if worker["pid"]]
    if not pids:
        raise Trouble(f"{name} has no worker")
    starts = len(_starts(node))
    with ProcessEnds(pids) as ends:
        cut_at, cut_wall = time.monotonic(), time.time()
        for proxy in run.proxies[name]:
            proxy.cut(plan.kind)
        limit = cut_at + (LEASE_S + TAKEOVER_S) * run.options.patience

        def takeovers() -> list[Takeover]:
            return run.takeovers(shards, instance, cut_wall)

        def may_return() -> bool:
            ended, found = ends.wait(LOOK_S), takeovers()
            if plan.until == "taken":
                return all(each.taken_s is not None for each in found)
            return ended and all(each.served_s is not None for each in found)

        while not may_return():
            if time.monotonic() >= limit:
                raise Trouble(f"{name} was cut off: its workers or shards are not as they should be: {takeovers()}")
            if ends.last is not None:
                time.sleep(LOOK_S)  # there is no end left to wait for
        returned_s = time.monotonic() - cut_at
        started = _starts(node)[starts:]
        for proxy in run.proxies[name]:
            proxy.heal()
        while not ends.wait(LOOK_S) and time.monotonic() < limit:
            pass
        run.wait(
            lambda: all(each.served_s is not None for each in takeovers()),
            TAKEOVER_S,
            lambda: f"the shards of {name}: {takeovers()}",
        )
        return Cut(
            node=name,
            plan=plan,
            lease_s=LEASE_S,
            stopped_s=None if ends.last is None else ends.last - cut_at,
            takeovers=takeovers(),
            returned_s=returned_s,
            started_while_cut=started,
        )


def _starts(node: Host) -> list[str]:
    """Return the workers that a node has started so far."""
    return [
        line["worker"] for line in node.logged("worker_state") if line["state"] == "STARTING" and "_" in line["worker"]
    ]
