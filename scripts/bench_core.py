"""Print what one heartbeat costs the supervision core at 10, 100 and 1,000 children; exit 1 if it is too much.

Measured: `Core.handle(HeartbeatReceived)` and `Core.next_deadline()`, in CPU time of this process, while every child
serves and each sends a heartbeat a second. Too much: more than LIMIT_US at any size, or more than GROWTH_MAX times the
cost at the smallest size.
"""

from __future__ import annotations

import sys
import time

from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.inputs import HeartbeatReceived, HelloReceived, ReadyReceived, Spawned, StartRequested
from foxtrot_supervisor.core.records import ChildPlan

SIZES = (10, 100, 1000)
LIMIT_US = 100.0
GROWTH_MAX = 3.0
HEARTBEATS = 20_000
ROUNDS = 3
"""The quickest of so many rounds counts: the others were disturbed."""


def serving(workers: int, now: float) -> Core:
    """Return a core whose engine and workers serve."""
    plans = [ChildPlan(name="engine", tier=1, kind="engine")]
    plans += [ChildPlan(name=f"worker{number}.a", tier=2, stale_after_s=60.0) for number in range(workers)]
    core = Core(plans, SupervisorConfig(), lambda: 0.5)
    core.handle(StartRequested(), now)
    for name in core.records:
        for message in (Spawned(name, 1, 4711), HelloReceived(name, 1), ReadyReceived(name, 1)):
            core.handle(message, now)
    return core


def cost_us(workers: int) -> float:
    """Return the CPU time of one heartbeat in microseconds."""
    now = 1000.0
    core = serving(workers, now)
    names = list(core.records)
    quickest = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for number in range(HEARTBEATS):
            now += 1.0 / len(names)
            core.handle(HeartbeatReceived(names[number % len(names)], 1, 0.1, 0, 3), now)
            core.next_deadline()
        quickest = min(quickest, (time.process_time() - began) / HEARTBEATS * 1e6)
    assert core.state == "running"
    return quickest


def main() -> int:
    """Exit status: 0 if the cost is within its limits."""
    costs = [cost_us(workers) for workers in SIZES]
    for workers, cost in zip(SIZES, costs, strict=True):
        print(f"{workers:5} children: {cost:7.1f} us for one heartbeat")
    within = max(costs) <= LIMIT_US and costs[-1] <= GROWTH_MAX * costs[0]
    print("within limits" if within else f"too much: at most {LIMIT_US:g} us, and {GROWTH_MAX:g} times the smallest")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
