"""The schedule of `chaos`: which fault, in which phase, in which child, after which delay. Pure.

A pass is every fault in every phase, in an order and with victims and delays that follow from the seed alone: the same
seed gives the same schedule. Each step has a supervisor of its own, with three workers and an engine, so that no step
inherits anything of another but what should not be there.

`scene` says how a step is staged. The phases, and how a child is brought there:

=========== ==========================================================================================================
starting    its second incarnation waits before HELLO (the first was killed)
connecting  its second incarnation has said HELLO and waits before it connects
streaming   it runs, its events flow
backing_off it was killed and waits for its restart, while the fault meets another worker
stopping    the whole is being stopped and it holds back
=========== ==========================================================================================================

Faults that are beginnings (`STARTS`) meet the incarnation after the one in the phase; in phase starting they meet the
very first one, and in phase stopping the whole is stopped in the midst of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol, TypeAlias

from msgspec import Struct

from foxtrot_protocol.chaos import BadStart, ChildPlan, Hold, Plan, Strike
from foxtrot_protocol.endpoints import Transport
from foxtrot_supervisor.chaos.rules.delivery_faults import DELIVERY_FAULTS
from foxtrot_supervisor.chaos.rules.venues import VENUES, Venue

__all__ = [
    "BACKOFF_S",
    "CONNECTIONS",
    "ENGINE",
    "FAULTS",
    "HELLO_S",
    "HUNG_S",
    "NURSERY",
    "PAIRABLE",
    "PAUSE_S",
    "PHASES",
    "SIGNALS",
    "STARTS",
    "STRIKES",
    "SUPERVISOR",
    "WORKERS",
    "Action",
    "Blow",
    "ChaosOptions",
    "Phase",
    "Progress",
    "Scene",
    "Step",
    "scene",
    "schedule",
]

Phase: TypeAlias = Literal["starting", "connecting", "streaming", "backing_off", "stopping"]

PHASES: Final[tuple[Phase, ...]] = ("starting", "connecting", "streaming", "backing_off", "stopping")

Action: TypeAlias = Literal["", "SIGKILL", "SIGSEGV", "SIGSTOP", "strike"]
"""How a fault is injected: by a signal, by the hook inside the child, or "" where the child's start is the fault."""

FAULTS: Final[dict[str, str]] = {
    "sigkill": "the process is killed",
    "sigsegv": "the process crashes in native code",
    "sigstop": "the process is suspended",
    "exit_0": "the process ends as if all were well",
    "exit_1": "the process ends with an error",
    "blocked_loop": "its event loop never turns again",
    "gil_held": "a C function never gives the interpreter lock back",
    "sigterm_ignored": "it obeys neither STOP nor SIGTERM",
    "grandchild": "it daemonizes a process with a session of its own and an empty environment",
    "fd_exhaustion": "it has no file descriptor left",
    "clock_jump": "its wall clock jumps by an hour",
    "crash_at_import": "it crashes once before HELLO",
    "crash_loop": "it crashes before HELLO, each time",
    "slow_start": "its HELLO takes long, within the limit",
    "never_hello": "its HELLO never comes",
    "supervisor_sigkill": "the supervisor is killed",
    "supervisor_sigstop": "the supervisor is suspended for longer than the limit for hangs, then goes on",
    "two_faults": "two workers are struck at once",
}
"""Every fault, and what it is."""

SIGNALS: Final[dict[str, Action]] = {"sigkill": "SIGKILL", "sigsegv": "SIGSEGV", "sigstop": "SIGSTOP"}

STRIKES: Final[dict[str, Strike]] = {
    "exit_0": "exit_0",
    "exit_1": "exit_1",
    "blocked_loop": "block_loop",
    "gil_held": "hold_gil",
    "sigterm_ignored": "deaf",
    "grandchild": "grandchild",
    "fd_exhaustion": "exhaust_fds",
    "clock_jump": "jump_clock",
}

STARTS: Final[dict[str, BadStart]] = {
    "crash_at_import": "crash",
    "crash_loop": "crash",
    "slow_start": "slow",
    "never_hello": "slow",
}

SUPERVISOR: Final = ("supervisor_sigkill", "supervisor_sigstop")

PAIRABLE: Final = ("sigkill", "sigsegv", "sigstop", "exit_0", "exit_1", "blocked_loop", "gil_held")
"""Faults of which two may come at once: after each of them the child has to be replaced."""

ENGINE: Final = "engine"
NURSERY: Final = "nursery"

CONNECTIONS: Final[dict[str, str]] = {"alpha": "BTCUSDT", "beta": "ETHUSDT", "gamma": "SOLUSDT"}
"""Name and symbol of each connection: each its own, so that every trade has one worker that should bring it."""

WORKERS: Final = tuple(f"{name}.a" for name in CONNECTIONS)

HUNG_S: Final = 1.5
"""`hung_s` of the supervisor under test; with the other limits short, so that a pass takes minutes."""

HELLO_S: Final = 3.0

BACKOFF_S: Final = 1.5
"""How long a victim waits in phase backing_off, seconds."""

PAUSE_S: Final = HUNG_S + 1.0
"""How long a suspended supervisor stays so."""

SLOW_START_S: Final = HELLO_S / 2

CLOCK_JUMP_S: Final = 3600.0

DELAY_S_MAX: Final = 0.3
"""Longest time between reaching the phase and the blow, seconds."""

FOREVER_S: Final = 3600.0
ALWAYS: Final = 1_000_000
"""Last incarnation of what never ends."""


class Progress(Protocol):
    """Takes a line about each step, and how many of how many steps are done (0: unknown)."""

    def __call__(self, text: str = "", done: int = 0, total: int = 0) -> None: ...


class ChaosOptions(Struct, frozen=True, kw_only=True):
    """Options of a run. `duration_s`: passes follow one another until then (a step is finished); None: one pass.

    `kills`, `supervisor_kills`: instead of the matrix, so many SIGKILLs of workers, or of the supervisor, with
    `workers` workers at `rate_per_s` orders a second. `nursery`: whether this machine and `start_method` make workers
    in one. `transport`: how engines learn of batches.

    `redundancy` not 0: kills of workers are judged by what handlers were given, on `workers` connections of so many
    sides each. `engine_kills`, `pair_kills`, `engine_stop_s`, `splits`, `markets`: campaigns that always
    are. `recordings`: so many kills of the recorder and of recorded workers; then the recording is replayed and
    compared. `over_s`: they are spread over so many seconds; 0: each follows the recovery from the last one.

    `node_kills`, `engine_host_kills`, `nats_kills`: so many SIGKILLs of whole nodes of a cluster, of the host that has
    its engine, and of one of its `nats_servers` NATS servers: with more than one of them streams and buckets have three
    replicas. `node_cuts`: so often a node is cut off from NATS, and lives on.

    `exchange`: name in `rules.venues.VENUES` of the exchange that is simulated.
    """

    seed: int = 1
    duration_s: float | None = None
    faults: tuple[str, ...] = (*FAULTS, *DELIVERY_FAULTS)
    phases: tuple[Phase, ...] = PHASES
    kills: int = 0
    supervisor_kills: int = 0
    redundancy: int = 0
    backfill: bool = False
    engine_kills: int = 0
    pair_kills: int = 0
    engine_stop_s: float = 0.0
    splits: int = 0
    markets: int = 0
    recordings: int = 0
    over_s: float = 0.0
    node_kills: int = 0
    node_cuts: int = 0
    engine_host_kills: int = 0
    nats_kills: int = 0
    nats_servers: int = 1
    workers: int = 8
    rate_per_s: float = 500.0
    start_method: str = "auto"
    nursery: bool = True
    transport: Transport = "zeromq"
    patience: float = 1.0
    exchange: str = "binance"

    @property
    def of_cluster(self) -> bool:
        """Whether it is played on a cluster."""
        return bool(self.node_kills or self.node_cuts or self.engine_host_kills or self.nats_kills)

    @property
    def venue(self) -> Venue:
        """The exchange that is simulated."""
        return VENUES[self.exchange]


class Step(Struct, frozen=True, kw_only=True):
    """One fault in one phase. `victim` is the child in the phase; times in seconds."""

    number: int
    phase: Phase
    fault: str
    victim: str
    delay_s: float
    blows: list[tuple[str, str]]
    """Child and fault of each blow; none where the fault is the supervisor's own."""
    jump_s: float = 0.0


class Blow(Struct, frozen=True, kw_only=True):
    """A fault that meets `incarnation` of `child`."""

    child: str
    incarnation: int
    fault: str
    action: Action


class Scene(Struct, frozen=True, kw_only=True):
    """How a step is played, in this order; fields at their defaults are skipped.

    Start with `plan` and `backoff_s`; `kill_first`: SIGKILL the victim; `stop_first`: ask the supervisor to stop; wait
    until the victim's `incarnation` is in `state` (and has said that it is `held`); wait the step's delay; deal the
    `blows` all at once, and to the supervisor `supervisor`; then `release` what the hook still holds. `stop_at_once`:
    ask it to stop without waiting for any recovery.
    """

    plan: Plan
    backoff_s: float = 0.0
    kill_first: bool = False
    stop_first: bool = False
    state: str
    incarnation: int
    held: bool = False
    blows: list[Blow] = []
    supervisor: Literal["", "SIGKILL", "pause"] = ""
    release: bool = False
    stop_at_once: bool = False


# ---- which steps


def schedule(
    random: Callable[[], float],
    faults: Sequence[str] = tuple(FAULTS),
    phases: Sequence[Phase] = PHASES,
    *,
    with_nursery: bool,
    first_number: int = 1,
) -> list[Step]:
    """One pass: each of `faults` in each of `phases`, while streaming also in engine and nursery where that can be.

    `random` gives numbers from 0 to 1 and is all that decides. Raises `ValueError` for an unknown fault.
    """
    unknown = [fault for fault in faults if fault not in FAULTS]
    if unknown:
        raise ValueError(f"no such fault: {', '.join(unknown)}; known: {', '.join(FAULTS)}")
    wanted = [
        (fault, phase, victim)
        for fault in faults
        for phase in phases
        for victim in ("", *_besides_workers(fault, phase, with_nursery))
    ]
    return [
        _step(number, phase, fault, victim or _pick(WORKERS, random), random)
        for number, (fault, phase, victim) in enumerate(_shuffled(wanted, random), first_number)
    ]


def _besides_workers(fault: str, phase: Phase, with_nursery: bool) -> list[str]:
    if phase != "streaming" or fault not in PAIRABLE:
        return []
    # the nursery boots itself: no hook is in it
    return [ENGINE, NURSERY] if with_nursery and fault in SIGNALS else [ENGINE]


def _step(number: int, phase: Phase, fault: str, victim: str, random: Callable[[], float]) -> Step:
    delay_s = round(random() * DELAY_S_MAX, 3)
    others = [worker for worker in WORKERS if worker != victim]
    struck = _pick(others, random) if phase == "backing_off" else victim
    # back is the worse: in the phase in which everything is known, always
    back = random() < 0.5 or phase == "streaming"
    jump_s = -CLOCK_JUMP_S if back else CLOCK_JUMP_S
    if fault in SUPERVISOR:
        blows = []
    elif fault == "two_faults":
        second = _pick([worker for worker in others if worker != struck], random)
        blows = [(struck, _pick(PAIRABLE, random)), (second, _pick(PAIRABLE, random))]
    elif fault in STARTS:
        blows = [(victim, fault)]
    else:
        blows = [(struck, fault)]
    return Step(number=number, phase=phase, fault=fault, victim=victim, delay_s=delay_s, blows=blows, jump_s=jump_s)


def _pick(choices: Sequence[str], random: Callable[[], float]) -> str:
    return choices[min(int(random() * len(choices)), len(choices) - 1)]


def _shuffled(items: Sequence[tuple[str, Phase, str]], random: Callable[[], float]) -> list[tuple[str, Phase, str]]:
    shuffled = list(items)
    for last in range(len(shuffled) - 1, 0, -1):
        other = min(int(random() * (last + 1)), last)
        shuffled[last], shuffled[other] = shuffled[other], shuffled[last]
    return shuffled


# ---- how a step is staged

_HOLDS: Final[dict[Phase, Hold]] = {"starting": "starting", "connecting": "connecting", "stopping": "stopping"}

_STATES: Final[dict[Phase, str]] = {
    "starting": "STARTING",
    "connecting": "CONNECTING",
    "streaming": "RUNNING",
    "backing_off": "BACKOFF",
    "stopping": "STOPPING",
}


def scene(step: Step) -> Scene:
    """How `step` is staged."""
    return _staged_start(step) if step.fault in STARTS else _staged_blow(step)


def _staged_blow(step: Step) -> Scene:
    phase = step.phase
    killed = phase in ("starting", "connecting", "backing_off")
    incarnation = 2 if phase in ("starting", "connecting") else 1
    plan: Plan = {step.victim: [ChildPlan(first=incarnation, last=incarnation, hold=_HOLDS.get(phase, ""))]}
    blows = []
    for child, fault in step.blows:
        struck = incarnation if child == step.victim else 1
        # what is not held in phase stopping would be gone before the blow
        hold = _HOLDS.get(phase, "") if child == step.victim or phase == "stopping" else ""
        strike = STRIKES.get(fault, "nothing")
        plan[child] = [ChildPlan(first=struck, last=struck, hold=hold, strike=strike, seconds=step.jump_s)]
        blows.append(Blow(child=child, incarnation=struck, fault=fault, action=SIGNALS.get(fault, "strike")))
    return Scene(
        plan=plan,
        backoff_s=BACKOFF_S if phase == "backing_off" else 0.0,
        kill_first=killed,
        stop_first=phase == "stopping",
        state=_STATES[phase],
        incarnation=incarnation,
        held=phase in _HOLDS,
        blows=blows,
        supervisor={"supervisor_sigkill": "SIGKILL", "supervisor_sigstop": "pause"}.get(step.fault, ""),  # type: ignore[arg-type]  # of these three
        release=step.fault == "supervisor_sigstop" and phase in _HOLDS,
    )


def _staged_start(step: Step) -> Scene:
    """The incarnation after the one in the phase begins badly."""
    phase, victim = step.phase, step.victim
    bad = {"starting": 1, "connecting": 3}.get(phase, 2)
    begins = ChildPlan(
        first=bad,
        last=ALWAYS if step.fault == "crash_loop" else bad,
        bad_start=STARTS[step.fault],
        seconds=SLOW_START_S if step.fault == "slow_start" else FOREVER_S,
    )
    held = ChildPlan(first=2, last=2, hold="connecting")
    fault = Blow(child=victim, incarnation=bad, fault=step.fault, action="")
    killing = Blow(child=victim, incarnation=bad - 1, fault="sigkill", action="SIGKILL")
    return Scene(
        plan={victim: [held, begins] if phase == "connecting" else [begins]},
        backoff_s=BACKOFF_S if phase == "backing_off" else 0.0,
        kill_first=phase in ("connecting", "backing_off"),
        state="STARTING" if phase == "starting" else "RUNNING" if phase == "stopping" else _STATES[phase],
        incarnation=2 if phase == "connecting" else 1,
        held=phase == "connecting",
        blows=[fault] if phase in ("starting", "backing_off") else [killing, fault],
        stop_at_once=phase == "stopping",
    )
