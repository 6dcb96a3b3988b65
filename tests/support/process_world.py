"""A world of pretended processes in pretended time that drives the supervision core; one seed, one schedule.

Children start slowly or not at all, crash, hang, ignore requests and signals, outlive SIGKILL; exchanges are
down; operators stop, stop again, restart and change the configuration at bad moments; messages come late; the
supervisor's timer comes late; the whole machine, or the supervisor alone, is suspended. Whatever happens, an `Observer`
watches.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_supervisor.config.schema import Restart, SupervisorConfig
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.effects import Ask, DumpStacks, Effect, Publish, Signal, Spawn
from foxtrot_supervisor.core.inputs import (
    CapturedStacks,
    ChildrenChanged,
    Exited,
    FailureReported,
    HeartbeatReceived,
    HelloReceived,
    Input,
    ReadyReceived,
    RequestRefused,
    RestartRequested,
    RotationWanted,
    Spawned,
    SpawnFailed,
    StartRequested,
    StopRequested,
    Tick,
)
from foxtrot_supervisor.core.records import ChildPlan
from foxtrot_supervisor.core.rotation import ROTATED
from tests.support.core_invariants import Observer, Violation

CONFIG = SupervisorConfig(
    hello_s=2.0,
    ready_s=3.0,
    heartbeat_s=1.0,
    late_s=2.0,
    hung_s=3.0,
    stop_ask_s=2.5,
    stop_term_s=1.5,
    stop_kill_s=1.0,
    shutdown_s=6.0,
    restart_intensity=3,
    restart_period_s=8.0,
    backoff_s=0.25,
    backoff_max_s=2.0,
    healthy_after_s=4.0,
)
"""Deadlines of a few seconds, so that a schedule of half a minute meets all of them."""

INPUTS_MAX = 3000
"""Inputs of one schedule; more mean that the core asks to be called again and again without going on."""

STAND_STILLS_MAX = 20
"""Ticks one after the other for which no time passes."""

LATENESS_S_MAX = 0.03
"""How late a timer fires."""

Plans = Sequence[ChildPlan]
CoreMaker = Callable[[Plans, SupervisorConfig, Callable[[], float]], Core]

_CHARACTERS = (
    "steady",
    "steady",
    "steady",
    "flaky",
    "crashing",
    "outside",
    "rotating",
    "aging",
    "aging",
    "mistaken",
    "hanging",
    "deaf",
)
_CRASHES: tuple[tuple[int | None, int | None], ...] = ((1, None), (None, 9), (None, 11), (14, None), (0, None))
_POLICIES: tuple[Restart, ...] = ("permanent", "permanent", "permanent", "transient", "temporary")
_OUTSIDE = (ChildExit.CONNECTION_LOST, ChildExit.REFUSED, ChildExit.STALE)


class Process:
    """One pretended process."""

    __slots__ = ("alive", "asked", "deaf", "flowing", "heard", "hung", "incarnation", "name", "talks", "unkillable")

    def __init__(self, name: str, incarnation: int) -> None:
        self.name = name
        self.incarnation = incarnation
        self.alive = True
        self.hung = False
        self.talks = False
        """HELLO was said, heartbeats go out."""
        self.heard = True
        """Whether its HELLO will come at all."""
        self.deaf = 0
        """1: ignores being asked, 2: ignores SIGTERM too."""
        self.unkillable = False
        self.asked = 0
        """Heartbeats for which some topic is not acknowledged yet."""
        self.flowing = 0


class World:
    """`run` plays the schedule of `seed` and raises `Violation` where a promise is broken."""

    def __init__(self, seed: int, make_core: CoreMaker = Core) -> None:
        rng = self.rng = random.Random(seed)
        self.seed = seed
        self.plans = _plans(rng)
        self._configured = {plan.name: plan for plan in self.plans}
        self._editor = random.Random(f"{seed} edits the configuration")
        self._sides = random.Random(f"{seed} rotates")
        self.core = make_core(self.plans, CONFIG, rng.random)
        self.observer = Observer(self.plans, CONFIG)
        self.characters = {plan.name: rng.choice(_CHARACTERS) for plan in self.plans}
        self.now = 0.0
        self.inputs = 0
        self.refused = 0
        self.met: set[str] = set()
        """What this schedule came across, so that a test can tell that the schedules are worth something."""
        self._processes: dict[str, Process] = {}
        self._queue: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._pushed = 0

    # ---- the schedule

    def run(self) -> None:
        """Start, live, stop, end."""
        self._plan_operators()
        self._feed(StartRequested())
        stood_still = 0
        while self.core.exit_code is None:
            deadline = self.core.next_deadline()
            tick_at = None if deadline is None else max(self.now, deadline + self.rng.random() * LATENESS_S_MAX)
            event_at = self._queue[0][0] if self._queue else None
            if tick_at is not None and (event_at is None or tick_at <= event_at):
                stood_still = stood_still + 1 if tick_at <= self.now else 0
                self.now = tick_at
                self._feed(Tick())
            else:
                assert event_at is not None, f"seed {self.seed}: everything waits for ever"
                stood_still = 0
                self.now = max(self.now, event_at)
                _, _, act, arguments = heapq.heappop(self._queue)
                act(*arguments)
            if self.inputs > INPUTS_MAX or stood_still > STAND_STILLS_MAX:
                raise Violation("time goes on", f"{self.inputs} inputs, now {self.now}")
        self._let_the_lost_die()

    def _plan_operators(self) -> None:
        rng = self.rng
        stop_at = rng.choice((rng.uniform(0.0, 3.0), rng.uniform(3.0, 14.0)))
        self._at(stop_at, self._feed, StopRequested("operator"))
        if rng.random() < 0.25:
            self._at(stop_at + rng.uniform(0.0, 5.0), self._feed, StopRequested("operator again"))
        for _ in range(rng.choice((0, 0, 1, 2))):
            self._at(rng.uniform(0.0, 14.0), self._feed, RestartRequested(rng.choice(self.plans).name))
        if self._editor.random() < 0.4:
            for _ in range(self._editor.randint(1, 3)):
                self._at(self._editor.uniform(0.0, 8.0), self._reload)
        if rng.random() < 0.15:
            self._at(
                rng.uniform(0.0, 14.0),
                self._suspend,
                rng.choice((rng.uniform(0.1, 3.0), rng.uniform(3.0, 60.0))),
                rng.random() < 0.5,
            )

    def _reload(self) -> None:
        plans = _edited(self._configured, self._editor)
        refused = self.refused
        for name in plans:
            self.characters.setdefault(name, self._editor.choice(_CHARACTERS))
        self._feed(ChildrenChanged(list(plans.values()), CONFIG))
        if self.refused == refused:
            self.met.add("reloaded")
            self._configured = plans

    def _let_the_lost_die(self) -> None:
        """What SIGKILL did not end in time may end after all; nothing may follow from it."""
        for process in self._processes.values():
            if process.alive:
                self.met.add("lost")
                self._exit(process, None, 9)

    def _suspend(self, gap_s: float, whole_machine: bool) -> None:
        self.met.add("suspended")
        self.now += gap_s
        if whole_machine:
            self._queue = [(at + gap_s, *rest) for at, *rest in self._queue]  # type: ignore[misc]  # same shape

    def _at(self, at: float, act: Callable[..., None], *arguments: Any) -> None:
        self._pushed += 1
        heapq.heappush(self._queue, (at, self._pushed, act, arguments))

    def _in(self, delay_s: float, act: Callable[..., None], *arguments: Any) -> None:
        self._at(self.now + delay_s, act, *arguments)

    # ---- core

    def _feed(self, message: Input) -> None:
        self.inputs += 1
        try:
            effects = self.core.handle(message, self.now)
        except RequestRefused:
            self.refused += 1
            self.observer.look(self.now)
            self.observer.expect(self.core.next_deadline())
            return
        self.observer.told(message, self.now)
        self.observer.saw(effects, self.now)
        self.observer.compare(self.core.records, self.core.next_deadline(), self.now)
        for effect in effects:
            self._perform(effect)
        if self.observer.is_budget_spent(self.now):
            self.met.add("budget spent")

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Spawn):
            self._spawn(effect)
        elif isinstance(effect, Ask):
            self._asked(self._processes[effect.name])
        elif isinstance(effect, Signal):
            self._signalled(self._processes[effect.name], effect.signal)
        elif isinstance(effect, DumpStacks):
            self._dumped(self._processes[effect.name])
        elif isinstance(effect, Publish):
            self.met.add(effect.status.state)
            if effect.status.cause.startswith(ROTATED):
                self.met.add("twin rotated" if effect.status.worker.startswith("both") else "rotated")

    # ---- processes

    def _spawn(self, effect: Spawn) -> None:
        rng = self.rng
        process = self._processes[effect.name] = Process(effect.name, effect.incarnation)
        delay_s = rng.random() * 0.05 if rng.random() < 0.97 else rng.uniform(0.5, 5.0)
        character = self.characters.setdefault(effect.name, self._sides.choice(_CHARACTERS))
        process.asked = self._sides.choice((0, 0, 1, 3))
        process.flowing = self._sides.choice((0, 1, 2, 2, 2))
        if effect.name.endswith(".b") and effect.name not in self._configured:
            self.met.add("spare")
        if rng.random() < (0.3 if character == "crashing" else 0.02):
            process.alive = False
            self._in(delay_s, self._feed, SpawnFailed(effect.name, effect.incarnation, "no memory"))
            return
        self._in(delay_s, self._feed, Spawned(effect.name, effect.incarnation, 1000 + effect.incarnation))
        process.deaf = rng.choice((0, 1, 2)) if character == "deaf" else 0
        process.unkillable = rng.random() < (0.2 if character in ("deaf", "hanging") else 0.005)
        process.heard = rng.random() < 0.97
        hello_s = delay_s + rng.random() * 0.1
        if process.heard:
            self._in(hello_s, self._hello, process)
        self._live(process, character, hello_s)

    def _live(self, process: Process, character: str, hello_s: float) -> None:
        rng = self.rng
        if character == "crashing":
            self._in(hello_s + rng.random() * 0.4, self._exit, process, *rng.choice(_CRASHES))
        elif character == "outside":
            self._in(hello_s + rng.random() * 0.4, self._fail, process, rng.choice(_OUTSIDE))
        elif character == "rotating":
            self._in(hello_s + rng.choice((0.1, 11.0)), self._exit, process, ChildExit.ROTATE, None)
        elif character == "aging":
            self._age(process, hello_s)
        elif character == "mistaken" and rng.random() < 0.5:
            self._in(hello_s, self._exit, process, ChildExit.CONFIGURATION, None)
        elif character == "hanging":
            self._in(hello_s + rng.uniform(0.0, 5.0), self._hang, process)
        elif character == "flaky":
            self._in(hello_s + rng.uniform(0.0, 12.0), self._exit, process, *rng.choice(_CRASHES))

    def _age(self, process: Process, hello_s: float) -> None:
        """It wants to be replaced, says so more than once, and may be closed by the exchange before that is done."""
        sides = self._sides
        wanted_s = hello_s + sides.choice((0.3, sides.uniform(0.3, 4.0), 11.0))
        for again_s in (0.0, 1.0, 5.0):
            self._in(wanted_s + again_s, self._want_rotation, process)
        if sides.random() < 0.4:
            self._in(wanted_s + sides.uniform(0.0, 3.0), self._fail, process, ChildExit.ROTATE)
        elif sides.random() < 0.2:
            self._in(wanted_s + sides.uniform(0.0, 3.0), self._exit, process, *sides.choice(_CRASHES))

    def _want_rotation(self, process: Process) -> None:
        if process.alive and not process.hung and process.talks:
            self._feed(RotationWanted(process.name, process.incarnation, "planned age"))

    def _hello(self, process: Process) -> None:
        if not process.alive or process.hung:
            return
        process.talks = True
        self._feed(HelloReceived(process.name, process.incarnation))
        self._in(CONFIG.heartbeat_s, self._beat, process)
        ready_s = self.rng.random() * 0.2 if self.rng.random() < 0.93 else self.rng.uniform(2.0, 5.0)
        self._in(ready_s, self._ready, process)

    def _ready(self, process: Process) -> None:
        if process.alive and not process.hung:
            self._feed(ReadyReceived(process.name, process.incarnation))

    def _beat(self, process: Process) -> None:
        if process.alive and not process.hung:
            self._in(CONFIG.heartbeat_s, self._beat, process)
            asked, process.asked = min(1, process.asked), max(0, process.asked - 1)
            beat = HeartbeatReceived(process.name, process.incarnation, None, asked, process.flowing)
            self._feed(beat)

    def _hang(self, process: Process) -> None:
        process.hung = True
        self.met.add("hung")

    def _fail(self, process: Process, code: int) -> None:
        if process.alive and not process.hung:
            wish_s = self.rng.choice((None, None, 0.5, 3.0, 1e9))
            self._feed(FailureReported(process.name, process.incarnation, "the exchange is away", wish_s))
            self._in(0.01, self._exit, process, code, None)

    def _exit(self, process: Process, code: int | None, signal: int | None) -> None:
        if not process.alive:
            return
        process.alive = False
        if self.rng.random() < 0.1:
            self._in(0.05, self._feed, HeartbeatReceived(process.name, process.incarnation))
            self._in(0.05, self._feed, Exited(process.name, process.incarnation, 0, None))
            self.met.add("late messages")
        self._feed(Exited(process.name, process.incarnation, code, signal))

    def _asked(self, process: Process) -> None:
        if process.talks and not process.hung and process.deaf < 1:
            slowly = self.rng.random() < 0.15
            self._in(self.rng.uniform(1.0, 4.0) if slowly else self.rng.random() * 0.1, self._exit, process, 0, None)

    def _signalled(self, process: Process, signal: str) -> None:
        self.met.add(signal)
        if signal == "SIGKILL":
            if not process.unkillable:
                self._in(self.rng.random() * 0.01, self._exit, process, None, 9)
        elif process.deaf < 2 and not process.hung:
            self._in(self.rng.random() * 0.1, self._exit, process, None, 15)

    def _dumped(self, process: Process) -> None:
        child = self.observer.children[process.name]
        healthy = process.talks and not process.hung and process.alive
        if healthy and child.term_at is None:
            raise Violation("nobody is killed in good health", f"{process.name} at {self.now}")
        self._in(0.02, self._feed, CapturedStacks(process.name, process.incarnation, "in f"))


def _plans(rng: random.Random) -> list[ChildPlan]:
    plans = [ChildPlan(name="engine", tier=1, kind="engine")]
    if rng.random() < 0.5:
        plans.append(ChildPlan(name="simulator", tier=0, kind="simulator", essential=rng.random() < 0.8))
    for number in range(rng.randint(1, 3)):
        policy = rng.choice(_POLICIES)
        plans.append(_single(f"feed{number}", restart=policy, essential=rng.random() < 0.7))
    if rng.random() < 0.3:
        plans += _twins()
    return plans


def _single(connection: str, **fields: Any) -> ChildPlan:
    """A connection with one side at a time."""
    spare = ChildPlan(name=f"{connection}.b", tier=2, **fields)
    return ChildPlan(name=f"{connection}.a", tier=2, spare=spare, **fields)


def _twins() -> list[ChildPlan]:
    return [
        ChildPlan(name="both.a", tier=2, twin="both.b"),
        ChildPlan(name="both.b", tier=2, twin="both.a"),
    ]


def _with(plan: ChildPlan, **fields: Any) -> ChildPlan:
    """What is edited of a connection is edited of both its sides."""
    spare = plan.spare and msgspec.structs.replace(plan.spare, **fields)
    return msgspec.structs.replace(plan, spare=spare, **fields)


def _edited(plans: Mapping[str, ChildPlan], editor: random.Random) -> dict[str, ChildPlan]:
    """What somebody has made of a configuration."""
    edited = dict(plans)
    for _ in range(editor.randint(1, 4)):
        feeds = [name for name, plan in edited.items() if plan.kind == "connection"]
        edit = editor.choice(
            ("drop", "add", "add twins", "one of twins", "change", "change", "change all", "simulator", "soften")
        )
        if edit == "drop" and feeds:
            del edited[editor.choice(feeds)]
        elif edit == "add":
            # a small choice of names: what was dropped comes back
            plan = _single(f"feed{editor.randint(0, 4)}", essential=editor.random() < 0.7)
            edited.setdefault(plan.name, plan)
        elif edit == "add twins":
            edited.update({plan.name: plan for plan in _twins()})
        elif edit == "one of twins" and "both.b" in edited:
            edited.pop("both.b")
            edited["both.a"] = _single("both")
        elif edit == "simulator" and "simulator" in edited:
            del edited["simulator"]
        elif edit == "simulator":
            edited["simulator"] = ChildPlan(name="simulator", tier=0, kind="simulator", essential=editor.random() < 0.8)
        elif edit == "soften" and feeds:
            name = editor.choice(feeds)
            edited[name] = _with(edited[name], essential=editor.random() < 0.5, restart=editor.choice(_POLICIES))
        else:
            names = list(edited) if edit == "change all" else [editor.choice(list(edited))]
            for name in names:
                fingerprint = str(editor.randint(0, 99))
                edited[name] = _with(edited[name], fingerprint=fingerprint)
    return edited
