"""Judge what `chaos` observed: the promises of each step, which of them were broken, figures of all steps. Pure.

Times are milliseconds from the blow (for a beginning that is the fault: from its start), as the supervisor's own log
and the engine's live events tell them. `patience` multiplies every limit: for machines that have other things to do.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from foxtrot_supervisor.chaos.rules.schedule import HELLO_S, HUNG_S, NURSERY, STARTS, WORKERS, Blow, Scene, Step
from foxtrot_supervisor.chaos.rules.venues import Venue

__all__ = [
    "DETECTED_MS",
    "EVENT_MEDIAN_MS",
    "GONE_MS",
    "HELLO_MEDIAN_MS",
    "RECOVERED_S",
    "Figures",
    "Kill",
    "Observed",
    "Promise",
    "Recovery",
    "StepResult",
    "SupervisorKill",
    "TradeAccount",
    "account",
    "figures",
    "judge",
    "judge_kills",
    "judge_supervisor_kills",
    "promise",
    "recovery_figures",
]

DETECTED_MS: Final = 100.0
"""A process that was killed is known to be dead within this time."""

HELLO_MEDIAN_MS: Final = 25.0
"""From kill to HELLO of the replacement, median, with the nursery."""

EVENT_MEDIAN_MS: Final = 100.0
"""From kill to the replacement's first event, median, with the nursery."""

GONE_MS: Final = 1000.0
"""After a SIGKILL of the supervisor the last child is gone within this time."""

CRASH_DUMP_MS: Final = 150.0
"""Longer than `DETECTED_MS`: after a native crash the process first writes down where it was."""

LOOK_S: Final = 0.7
"""How late a hang may be noticed: heartbeats come, and looks are taken, in intervals."""

DUMP_S: Final = 1.0
"""A hung child has so long to show its stacks."""

RECOVERED_S: Final = 5.0
"""From the death to events of the replacement."""

SWEPT_MS: Final = 3000.0
"""A process that has left its session is ended within this time."""

ZOMBIE_MS: Final = 1000.0
"""No child of the supervisor stays a zombie for longer."""

STOPPED_MS: Final = 6000.0
"""The whole ladder, and something for the engine."""

Outcome: TypeAlias = Literal["replaced", "same", "either", "fatal"]
"""What has to become of a struck child: another incarnation serves, the same one does, one of both, none any more."""

_ENDS = frozenset({"sigkill", "sigsegv", "exit_0", "exit_1"})
_HANGS = frozenset({"sigstop", "blocked_loop", "gil_held"})
_NEEDS_KILL = frozenset({"blocked_loop", "gil_held", "sigterm_ignored"})


class Promise(Struct, frozen=True):
    """What is promised about one blow. `seen_ms` None: nothing may be noticed. `limit_s`: until it serves again."""

    outcome: Outcome
    seen_ms: float | None
    limit_s: float


def promise(step: Step, blow: Blow) -> Promise:
    """What is promised about `blow` in `step`, unless the whole is being stopped or the supervisor killed."""
    fault = blow.fault
    if fault in _ENDS:
        seen_ms = DETECTED_MS if fault != "sigsegv" else DETECTED_MS + CRASH_DUMP_MS
        return Promise("replaced", seen_ms, RECOVERED_S + _backoff_s(step, blow))
    if fault in _HANGS or fault == "never_hello":
        mute = fault == "never_hello" or (step.phase == "starting" and blow.child == step.victim)
        noticed_s = (HELLO_S if mute else HUNG_S) + LOOK_S
        return Promise("replaced", noticed_s * 1000.0, noticed_s + DUMP_S + RECOVERED_S)
    if fault == "crash_loop":
        return Promise("fatal", None, 2 * RECOVERED_S)
    if fault == "crash_at_import":
        return Promise("replaced", None, RECOVERED_S)
    if fault == "fd_exhaustion":
        return Promise("either", None, HELLO_S + LOOK_S + DUMP_S + RECOVERED_S)
    return Promise("same", None, HELLO_S + RECOVERED_S)


def _backoff_s(step: Step, blow: Blow) -> float:
    """In phase backing_off nobody is restarted at once."""
    return 2.0 if step.phase == "backing_off" and blow.child != step.victim else 0.0


# ---- what was seen


class Recovery(Struct, kw_only=True):
    """What became of one struck child; None: it did not come to that. Times in milliseconds from the blow."""

    child: str
    incarnation: int
    """The one that was struck."""
    fault: str
    seen_ms: float | None = None
    hello_ms: float | None = None
    event_ms: float | None = None
    state: str = ""
    """In the end."""
    incarnation_after: int = 0


class Observed(Struct, kw_only=True):
    """What was seen in one step; None: did not come to that."""

    trouble: str = ""
    """Why the step could not be played to its end."""
    start_ms: float | None = None
    recoveries: list[Recovery] = []
    before: dict[str, tuple[int | None, int]] = {}
    """Process id and incarnation of each child before the blow, by name."""
    after: dict[str, tuple[int | None, int]] = {}
    """And when all had recovered; empty if the whole was being stopped."""
    grandchild_ms: float | None = None
    zombie_ms: float = 0.0
    """The oldest zombie that was a child of the supervisor."""
    gone_ms: float | None = None
    """Until the last child was gone, after a SIGKILL of the supervisor."""
    exit_code: int | None = None
    audit_clean: bool | None = None
    rungs: dict[str, str | None] = {}
    stop_ms: float | None = None
    orphans: list[str] = []
    """Processes that were left when the supervisor had ended."""
    files: list[str] = []
    """Files that were left."""


class StepResult(Struct, kw_only=True):
    """A step, what was seen, which promises were broken (none: it held)."""

    step: Step
    observed: Observed
    broken: list[str]
    took_s: float


# ---- judgement of a step


def judge(step: Step, scene: Scene, observed: Observed, patience: float = 1.0) -> list[str]:
    """The promises that were broken, as text for people."""
    broken = [observed.trouble] if observed.trouble else []
    broken += [f"left running: {orphan}" for orphan in observed.orphans]
    broken += [f"left behind: {file}" for file in observed.files]
    broken += _late("a zombie stayed", observed.zombie_ms, ZOMBIE_MS * patience)
    if observed.trouble:
        return broken  # what follows from it says nothing more
    if scene.supervisor == "SIGKILL":
        return broken + _late("the last child was gone after", observed.gone_ms, GONE_MS * patience)
    if not scene.stop_first and not scene.stop_at_once:
        last = {blow.child: blow for blow in scene.blows}
        for blow, recovery in zip(scene.blows, observed.recoveries, strict=False):
            # a kill that only leads to the fault proper has to be noticed, and that is all
            promised = promise(step, blow)
            broken += _judge_notice(promised, recovery, patience)
            if last[blow.child] is blow:
                broken += _judge_recovery(promised, recovery, patience)
        broken += _disturbed(scene, observed)
        if any(blow.fault == "grandchild" for blow in scene.blows):
            broken += _late("the grandchild was ended after", observed.grandchild_ms, SWEPT_MS * patience)
    return broken + _judge_end(step, scene, observed, patience)


def _judge_notice(promised: Promise, recovery: Recovery, patience: float) -> list[str]:
    if promised.seen_ms is None:
        return []
    what = f"{recovery.child}: {recovery.fault} was noticed after"
    return _late(what, recovery.seen_ms, promised.seen_ms * patience)


def _judge_recovery(promised: Promise, recovery: Recovery, patience: float) -> list[str]:
    name = recovery.child
    broken = []
    if promised.outcome == "fatal":
        if recovery.state != "FATAL":
            broken.append(f"{name}: should be FATAL, is {recovery.state}")
        return broken
    if recovery.state != "RUNNING":
        broken.append(f"{name}: should be RUNNING, is {recovery.state}")
    if promised.outcome == "replaced" and recovery.incarnation_after <= recovery.incarnation:
        broken.append(f"{name}: was not replaced")
    if promised.outcome == "same" and recovery.incarnation_after != recovery.incarnation:
        broken.append(f"{name}: was replaced without need")
    if promised.outcome == "replaced" and name != NURSERY:
        broken += _late(f"{name}: events came again after", recovery.event_ms, promised.limit_s * 1000.0 * patience)
    return broken


def _disturbed(scene: Scene, observed: Observed) -> list[str]:
    """A child that was not struck is the same process as before, which itself may not be the first."""
    # who was not up before the blow, such as the victim in BACKOFF, is judged elsewhere or cannot be compared
    struck = {blow.child for blow in scene.blows}
    return [
        f"{name}: was disturbed, incarnation {before[1]} became {observed.after.get(name, (None, 0))[1]}"
        for name, before in observed.before.items()
        if name not in struck and before[0] is not None and observed.after.get(name) != before
    ]


def _judge_end(step: Step, scene: Scene, observed: Observed, patience: float) -> list[str]:
    broken = _late("the stop took", observed.stop_ms, STOPPED_MS * patience)
    allowed = _exit_codes(step, scene)
    if observed.exit_code not in allowed:
        broken.append(f"exit code {observed.exit_code}, not {' or '.join(map(str, sorted(allowed)))}")
    if observed.audit_clean is not True:
        broken.append("the audit found something" if observed.audit_clean is False else "no audit was told")
    for blow in scene.blows:
        if blow.fault == "sigterm_ignored" and observed.rungs.get(blow.child) != "kill":
            broken.append(f"{blow.child}: ended at rung {observed.rungs.get(blow.child)}, not kill")
    return broken


def _exit_codes(step: Step, scene: Scene) -> set[int]:
    faults = {blow.fault for blow in scene.blows}
    if "sigterm_ignored" in faults or (scene.stop_first and faults & _NEEDS_KILL):
        return {4}
    if "fd_exhaustion" in faults:
        return {0, 4}
    if step.fault == "crash_loop":
        # in phase streaming it is revived before the end
        return {"stopping": {0, 5}, "streaming": {0}}.get(step.phase, {5})
    return {0}


def _late(what: str, took_ms: float | None, limit_ms: float) -> list[str]:
    if took_ms is None:
        return [f"{what} more than {limit_ms:.0f} ms, or never"]
    return [f"{what} {took_ms:.0f} ms, promised within {limit_ms:.0f}"] if took_ms > limit_ms else []


# ---- figures


class Figures(Struct, frozen=True):
    """Of a few measurements, in milliseconds."""

    count: int
    median: float
    p99: float
    max: float


def figures(values: Sequence[float]) -> Figures | None:
    """None without any value."""
    if not values:
        return None
    ordered = sorted(values)
    p99 = ordered[math.ceil(len(ordered) * 0.99) - 1]  # nearest rank
    return Figures(len(ordered), round(statistics.median(ordered), 2), round(p99, 2), round(ordered[-1], 2))


def recovery_figures(results: Iterable[StepResult]) -> dict[str, Figures | None]:
    """Over all workers that ended while streaming and were replaced at once: detection, HELLO, first event."""
    found = [
        recovery
        for result in results
        if result.step.phase == "streaming" and result.step.fault not in STARTS
        for recovery in result.observed.recoveries
        if recovery.fault in _ENDS and recovery.child in WORKERS
    ]
    return {
        "detected_ms": figures([found.seen_ms for found in found if found.seen_ms is not None]),
        "hello_ms": figures([found.hello_ms for found in found if found.hello_ms is not None]),
        "event_ms": figures([found.event_ms for found in found if found.event_ms is not None]),
    }


# ---- many kills


class Kill(Struct, frozen=True):
    """One SIGKILL of a worker under load; None: not within the limit."""

    worker: str
    detected_ms: float | None
    hello_ms: float | None
    event_ms: float | None


class SupervisorKill(Struct, frozen=True):
    """One SIGKILL of the supervisor under load; `next_start_ms`: until the next one served, after its start."""

    gone_ms: float | None
    children: int
    next_start_ms: float | None
    orphans: list[str]


def judge_kills(kills: Sequence[Kill], *, with_nursery: bool, patience: float = 1.0) -> list[str]:
    """The promises that were broken. Those about medians hold for the nursery."""
    broken = []
    limit_ms = DETECTED_MS * patience
    late = [kill for kill in kills if kill.detected_ms is None or kill.detected_ms > limit_ms]
    if late:
        worst = max(float("inf") if kill.detected_ms is None else kill.detected_ms for kill in late)
        broken.append(
            f"{len(late)} of {len(kills)} deaths were noticed later than {limit_ms:.0f} ms, worst {worst:.0f}"
        )
    lost = sum(kill.event_ms is None for kill in kills)
    if lost:
        broken.append(f"{lost} of {len(kills)} workers were not replaced")
    if with_nursery:
        hello, event = _median(kill.hello_ms for kill in kills), _median(kill.event_ms for kill in kills)
        broken += _late("HELLO of the replacement (median):", hello, HELLO_MEDIAN_MS * patience)
        broken += _late("first event of the replacement (median):", event, EVENT_MEDIAN_MS * patience)
    return broken


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def judge_supervisor_kills(kills: Sequence[SupervisorKill], patience: float = 1.0) -> list[str]:
    """The promises that were broken."""
    limit_ms = GONE_MS * patience
    late = sum(kill.gone_ms is None or kill.gone_ms > limit_ms for kill in kills)
    stuck = sum(kill.next_start_ms is None for kill in kills)
    broken = [f"after {late} of {len(kills)} kills children were there for more than {limit_ms:.0f} ms"] if late else []
    broken += [f"after {stuck} of {len(kills)} kills the next start did not work"] if stuck else []
    return broken + [f"left running: {orphan}" for kill in kills for orphan in kill.orphans]


# ---- trades


class TradeAccount(Struct, frozen=True):
    """The simulated exchange's ledger beside what the engine showed.

    `unheard`: made while nobody was connected; `lost`: sent to a worker, never seen. With one connection a symbol
    nothing is promised about them.
    """

    sent: int
    unheard: int
    seen: int
    lost: int
    duplicated: int


def account(ledger: Iterable[Mapping[str, Any]], seen: Mapping[str, Mapping[int, int]], venue: Venue) -> TradeAccount:
    """From the rows of the ledger's file of `venue` and the number of times each trade was seen, by symbol."""
    sent: dict[str, set[int]] = {}
    unheard = 0
    for row in ledger:
        symbol = venue.traded_symbol(str(row.get("stream", "")))
        if symbol is None:
            continue
        if row["what"] == "sent":
            sent.setdefault(symbol, set()).update(row["ids"])
        elif row["what"] == "unheard":
            unheard += row["count"]
    return TradeAccount(
        sent=sum(len(ids) for ids in sent.values()),
        unheard=unheard,
        seen=sum(len(counts) for counts in seen.values()),
        lost=sum(len(ids - seen.get(symbol, {}).keys()) for symbol, ids in sent.items()),
        duplicated=sum(count - 1 for counts in seen.values() for count in counts.values()),
    )
