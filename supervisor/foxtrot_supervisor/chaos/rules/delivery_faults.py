"""The delivery faults of `chaos`: what happens to a connection or its engine, and what is promised. Pure.

Each step has a supervisor with one connection, of one worker or of two, and injects one fault under load. The result
is compared with the exchange's ledger (`chaos.rules.delivery_judge`). The same seed gives the same steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from foxtrot_supervisor.chaos.rules.delivery_judge import Promises
from foxtrot_supervisor.chaos.rules.kill_plan import KillPhase, Strike

__all__ = [
    "CONNECTION",
    "DELIVERY_FAULTS",
    "HALF_OPEN_STALE_S",
    "SYMBOL",
    "DeliveryStep",
    "Sides",
    "delivery_schedule",
    "exchange_fault",
    "promises_of",
    "strikes_of",
]

Sides: TypeAlias = Literal["one", "twins"]

CONNECTION: Final = "load0"
SYMBOL: Final = "LOAD0USDT"

HALF_OPEN_STALE_S: Final = 2.0
"""`stale_after_s` of the connections: a line that is dead is given up after so long."""

DELIVERY_FAULTS: Final[dict[str, str]] = {
    "kill_handshake": "a worker dies while the exchange answers its handshake",
    "kill_parse": "a worker dies with a frame parsed and nothing of it committed",
    "kill_record": "a worker dies with a record in its ring and no mark of it",
    "kill_mark": "a worker dies between the mark of a record and the head",
    "kill_send": "a worker dies with a batch committed and not sent",
    "kill_drain": "a worker dies while it waits for the engine before it leaves",
    "engine_sigkill": "the engine is killed",
    "engine_sigstop": "the engine is suspended for a second",
    "handler_blocks": "a handler does not return for five seconds",
    "twins_sigkill": "both twins are killed at once",
    "ring_full": "the engine is suspended until the ring is full and events are dropped",
    "ring_damaged": "bytes of records are flipped while there is no engine",
    "ring_words_damaged": "a word of the engine's own is flipped in a ring while there is no engine",
    "net_stall": "the line stands still for a second, in the midst of a frame",
    "net_reset": "the exchange resets the TCP connection",
    "net_half_open": "the line goes dead and nobody says so",
    "net_duplicate": "frames come twice",
    "net_reorder": "frames come in another order",
    "net_drop": "frames are missing",
    "net_drip": "bytes come a few at a time, for a second",
}
"""Every delivery fault, and what it is."""

_POINTS: Final[dict[str, KillPhase]] = {
    "kill_handshake": "handshake",
    "kill_parse": "parse",
    "kill_record": "record",
    "kill_mark": "mark",
    "kill_send": "send",
    "kill_drain": "drain",
}

_KILLS_ENGINE: Final = frozenset({"engine_sigkill", "ring_damaged", "ring_words_damaged"})

_MISSES_NOTHING: Final = frozenset(
    {
        "engine_sigkill",
        "engine_sigstop",
        "handler_blocks",
        "net_stall",
        "net_duplicate",
        "net_drip",
        "ring_words_damaged",
    }
)
"""Even with one worker nothing may be missing then."""

_MISSES_WITH_TWINS: Final = frozenset({"twins_sigkill", "ring_full"})
"""With two workers something may be missing only then: nobody received it, or both had no room."""

_TEARS: Final = frozenset({"ring_full", "ring_damaged", "net_drop", "net_reorder", "net_half_open"})
"""A connection may have brought later events than those that are missing of it, or, half open, seem to have."""

_FRAMES: Final = 20
"""Frames that come twice, in another order, or not at all."""

DELAY_S_MAX: Final = 0.3


class DeliveryStep(Struct, frozen=True, kw_only=True):
    """One fault on a connection with one worker or two; `victim` is a worker of it, `passes` for kill points."""

    number: int
    phase: Literal["delivery"] = "delivery"
    fault: str
    sides: Sides
    victim: str
    delay_s: float
    passes: int
    blows: list[tuple[str, str]]


def delivery_schedule(
    random: Callable[[], float], faults: Sequence[str] = tuple(DELIVERY_FAULTS), *, first_number: int = 1
) -> list[DeliveryStep]:
    """One pass: each of `faults` with one worker and with twins, in their order."""
    wanted: list[tuple[str, Sides]] = [
        (fault, sides) for fault in faults for sides in ("one", "twins") if sides == "twins" or fault != "twins_sigkill"
    ]
    steps = []
    for number, (fault, sides) in enumerate(wanted, first_number):
        side = "b" if sides == "twins" and random() < 0.5 else "a"
        victim = f"{CONNECTION}.{side}"
        struck = "engine" if fault.startswith("engine") or fault == "handler_blocks" else victim
        steps.append(
            DeliveryStep(
                number=number,
                fault=fault,
                sides=sides,
                victim=victim,
                delay_s=round(random() * DELAY_S_MAX, 3),
                passes=int(random() * 30),
                blows=[(struck, fault)],
            )
        )
    return steps


def promises_of(step: DeliveryStep) -> Promises:
    """What is promised about `step`."""
    missing = _MISSES_WITH_TWINS if step.sides == "twins" else frozenset(DELIVERY_FAULTS) - _MISSES_NOTHING
    complete = step.fault not in missing
    return Promises(
        complete=complete,
        same_book=complete,
        whole=step.sides == "one" and step.fault not in _TEARS,
        engines_killed=step.fault in _KILLS_ENGINE,
    )


def strikes_of(step: DeliveryStep) -> list[Strike]:
    """The kill at a chosen point, where the fault is one."""
    point = _POINTS.get(step.fault)
    if point is None:
        return []
    early: tuple[KillPhase, ...] = ("handshake",) if point == "handshake" else ()
    phase: KillPhase = "anywhere" if early else point
    return [Strike(worker=step.victim, incarnation=1, phase=phase, passes=step.passes, pause_s=0.0, early=early)]


def exchange_fault(step: DeliveryStep, connection: int, trade_topic: str) -> dict[str, Any] | None:
    """The fault that the simulated exchange injects into its connection of that number; None: none.

    `trade_topic`: part of the names of the exchange's trade streams.
    """
    trades = {"topic": trade_topic, "count": _FRAMES, "share": 0.3}
    faults: dict[str, dict[str, Any]] = {
        "net_stall": {"kind": "stall", "duration_s": 1.0},
        "net_reset": {"kind": "abort"},
        "net_half_open": {"kind": "stall"},
        "net_duplicate": {"kind": "duplicate", **trades, "topic": ""},
        "net_reorder": {"kind": "reorder", **trades, "topic": ""},
        "net_drop": {"kind": "drop", **trades},
        "net_drip": {"kind": "drip", "bytes_per_s": 50_000.0, "duration_s": 1.0},
    }
    fault = faults.get(step.fault)
    return None if fault is None else {**fault, "connection": connection}
