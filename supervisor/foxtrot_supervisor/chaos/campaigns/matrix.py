"""`foxtrot-supervisor chaos`: injects the scheduled faults into real supervisors and reports what was observed.

Decides nothing: `rules.schedule` says what is done, `rules.report` what is promised. Each step starts a supervisor with
three workers on a simulated exchange, brings a child into a phase, injects the faults, waits for the recovery, stops
the supervisor, and looks for leftovers. What every fault does and what is promised: docs/chaos.md.
"""

from __future__ import annotations

import importlib
import random
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from foxtrot_supervisor.chaos.campaigns import delivery as chaos_delivery
from foxtrot_supervisor.chaos.campaigns import kills as chaos_kills
from foxtrot_supervisor.chaos.campaigns import recordings as chaos_recordings
from foxtrot_supervisor.chaos.campaigns.delivery_steps import play_delivery
from foxtrot_supervisor.chaos.campaigns.scene import play, play_scene
from foxtrot_supervisor.chaos.harness.ground import Ground
from foxtrot_supervisor.chaos.rules.delivery_faults import DELIVERY_FAULTS, DeliveryStep, delivery_schedule
from foxtrot_supervisor.chaos.rules.report import (
    StepResult,
    recovery_figures,
)
from foxtrot_supervisor.chaos.rules.schedule import (
    CONNECTIONS,
    FAULTS,
    WORKERS,
    ChaosOptions,
    Progress,
    Scene,
    Step,
    schedule,
)

__all__ = ["plan_of", "run_chaos"]

RATE_PER_S: Final = 200.0
"""Orders a second at the simulated exchange during the matrix."""


def plan_of(options: ChaosOptions) -> list[Step | DeliveryStep]:
    """The first pass; the same for the same options."""
    steps, delivery = next(_passes(options))
    return [*steps, *delivery]


def _passes(options: ChaosOptions) -> Iterator[tuple[list[Step], list[DeliveryStep]]]:
    # not a secret: a seed that gives the same schedule again is what it is for
    chance = random.Random(options.seed)
    number = 1
    while True:
        process_faults = [fault for fault in options.faults if fault in FAULTS]
        steps = schedule(
            chance.random, process_faults, options.phases, with_nursery=options.nursery, first_number=number
        )
        number += len(steps)
        delivery_faults = [fault for fault in options.faults if fault in DELIVERY_FAULTS]
        delivery = delivery_schedule(chance.random, delivery_faults, first_number=number)
        number += len(delivery)
        yield steps, delivery


def run_chaos(options: ChaosOptions, progress: Progress) -> dict[str, Any]:
    """Play all steps; return the report documented in docs/chaos.md. `progress` receives a line for each step.

    Raises `Trouble` if the simulated exchange cannot be started.
    """
    started_at = time.monotonic()
    report: dict[str, Any] = {
        "seed": options.seed,
        "start_method": "nursery" if options.nursery else "spawn",
        "transport": options.transport,
        "patience": options.patience,
        "exchange": options.exchange,
    }
    if options.of_cluster:  # needs nats-py, as nothing else here does
        report |= importlib.import_module("foxtrot_supervisor.chaos.campaigns.node_kills").run_node_kills(
            options, progress
        )
    elif options.recordings:
        report |= chaos_recordings.run_recordings(options, progress)
    elif options.redundancy:
        report |= chaos_delivery.run_campaigns(options, progress)
    elif options.kills or options.supervisor_kills:
        report |= chaos_kills.run_kills(options, progress)
    else:
        report |= _run_matrix(options, progress)
    return report | {"took_s": round(time.monotonic() - started_at, 1)}


def _run_matrix(options: ChaosOptions, progress: Progress) -> dict[str, Any]:
    deadline = None if options.duration_s is None else time.monotonic() + options.duration_s
    results: list[StepResult] = []
    delivery: list[dict[str, Any]] = []

    def over() -> bool:
        return deadline is not None and time.monotonic() >= deadline

    with Ground(
        CONNECTIONS.values(), rate=RATE_PER_S, seed=options.seed, venue=options.venue, transport=options.transport
    ) as ground:
        planned = 0
        for steps, delivery_steps in _passes(options):
            planned += len(steps) + len(delivery_steps)
            for step in steps:
                results.append(play(ground, step, options))
                progress(_line(results[-1]), len(results) + len(delivery), planned)
                if over():
                    break
            for delivery_step in () if over() else delivery_steps:
                delivery.append(play_delivery(delivery_step, options))
                progress(_delivery_line(delivery[-1]), len(results) + len(delivery), planned)
                if over():
                    break
            if deadline is None or over():
                break
        last = _closing_start(ground, options) if results else ""
        trades = ground.end_exchange()
        held = not last and not any(result.broken for result in results) and not any(row["broken"] for row in delivery)
        return {
            "held": held,
            "steps": [_as_row(result) for result in results],
            "delivery_steps": delivery,
            "totals": {
                "steps": len(results),
                "broken": sum(bool(result.broken) for result in results),
                "orphans": sum(len(result.observed.orphans) for result in results),
                "recovery": recovery_figures(results),
                "trades": trades,
                "last_start": last or "works",
            },
            "logs": None if held else str(ground.keep()),
        }


def _closing_start(ground: Ground, options: ChaosOptions) -> str:
    """After the last step, too, the next start has to work; "" if it does."""
    step = Step(number=0, phase="streaming", fault="sigkill", victim=WORKERS[0], delay_s=0.0, blows=[])
    stage = Scene(plan={}, state="RUNNING", incarnation=1)
    return "; ".join(play_scene(ground, step, stage, options).broken)


# ---- reporting


def _line(result: StepResult) -> str:
    step = result.step
    verdict = "; ".join(result.broken) or "held"
    return f"{step.number:>4} {step.phase:<12} {step.fault:<20} {step.victim:<9} {result.took_s:5.1f} s  {verdict}"


def _delivery_line(row: dict[str, Any]) -> str:
    verdict = "; ".join(row["broken"]) or "held"
    return (
        f"{row['number']:>4} {row['phase']:<12} {row['fault']:<20} {row['sides']:<9} {row['took_s']:5.1f} s  {verdict}"
    )


def _as_row(result: StepResult) -> dict[str, Any]:
    observed = result.observed
    row: dict[str, Any] = msgspec.to_builtins(observed)
    for bulky in ("before", "after", "rungs"):
        del row[bulky]
    return {
        **msgspec.to_builtins(result.step),
        "verdict": "broken" if result.broken else "held",
        "broken": result.broken,
        "took_s": result.took_s,
        **row,
    }
