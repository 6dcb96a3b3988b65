"""Messages between a fault test and the hook inside a child (`foxtrot_workers.chaos.boot`).

Both sides share one private folder beside the run directory, ``<run_dir>.chaos``: not in it, for the run directory has
to be empty at the end. The test writes ``plan.json``; the hook answers by notes, small files whose names say what
happened in which incarnation. A child without a plan is as it always is.

This is for tests of supervision only: nothing reads the folder unless `start` was told to boot by the hook.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from foxtrot_protocol.errors import MalformedMessage

__all__ = [
    "ARMED_POINTS",
    "HOLD_S_MAX",
    "BadStart",
    "ChildPlan",
    "Hold",
    "KillPoint",
    "Plan",
    "Strike",
    "decode_plan",
    "encode_plan",
    "folder",
    "note_name",
    "plan_for",
    "plan_path",
]

HOLD_S_MAX = 60.0
"""A held child continues after this many seconds: a test that died must not leave it waiting."""

Hold: TypeAlias = Literal["", "starting", "connecting", "stopping"]
"""Where a child waits for its strike: before HELLO, after HELLO and before it connects, or when asked to stop."""

BadStart: TypeAlias = Literal["", "crash", "slow"]
"""How a child starts: normally, by crashing before HELLO, or by waiting `ChildPlan.seconds` first."""

Strike: TypeAlias = Literal[
    "nothing", "block_loop", "hold_gil", "exit_0", "exit_1", "deaf", "grandchild", "exhaust_fds", "jump_clock"
]
"""What a child does to itself on SIGUSR1; it also ends a hold."""


KillPoint: TypeAlias = Literal["", "starting", "connecting", "handshake", "parse", "record", "mark", "send", "drain"]
"""Where a worker kills itself (SIGKILL): before HELLO; before it connects; while the exchange answers its handshake;
when a frame is parsed and nothing of it committed; when a record stands in the ring without its mark; when the mark
stands there and the head does not say so; when a batch is committed and not sent; when it waits for the engine before
it leaves."""

ARMED_POINTS: Final = frozenset({"parse", "record", "mark", "send"})
"""Points that a worker passes all the time: it kills itself there only after SIGUSR1."""


class ChildPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The faults of incarnations `first` to `last` of one child.

    `seconds`: how long a slow start waits, or how far the wall clock jumps (negative: back). `passes`: how often an
    armed kill point is passed before it kills.
    """

    first: int
    last: int
    bad_start: BadStart = ""
    hold: Hold = ""
    strike: Strike = "nothing"
    seconds: float = 0.0
    kill_at: KillPoint = ""
    passes: int = 0


Plan: TypeAlias = dict[str, list[ChildPlan]]
"""Plans by name of the child; of several for an incarnation the first applies."""


def folder(run_dir: str) -> str:
    """Return the folder that test and hook share."""
    return f"{run_dir}.chaos"


def plan_path(run_dir: str) -> str:
    """Return the path of the plan for the run in `run_dir`."""
    return f"{folder(run_dir)}/plan.json"


def note_name(what: str, child: str, incarnation: int) -> str:
    """Return the name of the note that reports `what` in this incarnation."""
    return f"{what}-{child}-{incarnation}"


def encode_plan(plan: Plan) -> bytes:
    """`plan` as JSON."""
    return msgspec.json.encode(plan)


def decode_plan(data: bytes) -> Plan:
    """The plan in `data`; raises `MalformedMessage`."""
    try:
        return msgspec.json.decode(data, type=Plan)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"chaos plan: {error}") from None


def plan_for(plan: Plan, child: str, incarnation: int) -> ChildPlan | None:
    """Return the plan of this incarnation of `child`, None if there is none."""
    return next((part for part in plan.get(child, ()) if part.first <= incarnation <= part.last), None)
