"""A death: why it happened, and what follows from it.

SIGKILLs count for the exit code of the run only within the final stop: replacing a hung worker in operation is what
supervision is for, and is shown in its record. Too late for READY, or for HELLO, or hung: a crash for the restart
policy, however the process then ends. Stale data are caused from outside.
"""

from __future__ import annotations

import signal as signals
from typing import TypeAlias

from msgspec import structs

from foxtrot_protocol.exit_codes import ChildExit, ExitVerdict, verdict
from foxtrot_supervisor.core.child import Child, Shared
from foxtrot_supervisor.core.children import Children
from foxtrot_supervisor.core.effects import Fence
from foxtrot_supervisor.core.inputs import CapturedStacks
from foxtrot_supervisor.core.lifecycle import Desired, Event, State
from foxtrot_supervisor.core.records import STACKS_CHARS_MAX, Death, Purpose
from foxtrot_supervisor.core.restart import GiveUp, Leave, Retry
from foxtrot_supervisor.core.rotation import Rotation

__all__ = ["Deaths"]

Consequence: TypeAlias = Retry | Leave | GiveUp | None
"""None: it was to end."""


class Deaths:
    """Takes deaths. Times are seconds on the monotonic clock."""

    def __init__(self, children: Children, shared: Shared, rotation: Rotation) -> None:
        self._children = children
        self._shared = shared
        self._rotation = rotation

    def died(self, child: Child, code: int | None, signal: int | None, found: str, now: float) -> None:
        """Take a death; `found`: what is known beyond the exit status, "" if nothing.

        The fence is issued with the death, so that it precedes the next incarnation in every order of events.
        """
        record = child.record
        cause = _cause_of_death(child, code, signal, found)
        record.deaths.append(Death(record.incarnation, code, signal, record.rung, cause, now, child.stacks))
        self._shared.effects.append(Fence(record.name, record.incarnation))
        if self._shared.shutdown is None:
            self._rotation.died(child, now)
        follows = self.consequence(child, code, signal, now)
        child.clear_process()
        match follows:
            case None:
                child.move(Event.ENDED, cause, code, signal)
            case Leave():
                child.move(Event.LEAVE, cause, code, signal)
            case GiveUp():
                child.move(Event.GIVE_UP, f"{follows.reason}: {cause}", code, signal)
            case _:
                child.crashed = follows.crashed
                record.retry_at = now + follows.delay_s
                child.move(Event.RETRY, cause, code, signal)

    def consequence(self, child: Child, code: int | None, signal: int | None, now: float) -> Consequence:
        """Return what follows from this death."""
        if child.record.desired is Desired.STOPPED:
            return None
        on_ladder = child.record.state in (State.STOPPING, State.LOST)
        if on_ladder and child.record.purpose is Purpose.RESTART:
            return Retry(0.0, crashed=False)
        kind = verdict(code, signal)
        if on_ladder:
            kind = ExitVerdict.OUTSIDE if child.record.purpose is Purpose.STALE else ExitVerdict.CRASH
        return child.policy.died(kind, now, child.served_s(now), child.retry_after_s)

    def take_stacks(self, message: CapturedStacks) -> None:
        """Keep the stacks of a child; they may arrive after the death that they explain."""
        child = self._children.get(message.name)
        if child is None:
            self._children.unknown_messages_total += 1
            return
        record = child.record
        record.stacks = message.text[:STACKS_CHARS_MAX]
        death = record.last_exit
        if record.may_live and message.incarnation == record.incarnation:
            child.stacks = record.stacks
        elif death is not None and death.incarnation == message.incarnation:
            record.deaths[-1] = structs.replace(death, stacks=record.stacks)


def _cause_of_death(child: Child, code: int | None, signal: int | None, found: str) -> str:
    on_ladder = child.record.state in (State.STOPPING, State.LOST)
    reason = found or (child.record.cause if on_ladder else child.reported_cause)
    how = _how_it_ended(code, signal)
    return f"{reason} ({how})" if reason and how else reason or how


def _how_it_ended(code: int | None, signal: int | None) -> str:
    if signal is not None:
        known = signal in signals.Signals._value2member_map_
        return f"killed by {signals.Signals(signal).name if known else f'signal {signal}'}"
    if code is None:
        return ""
    known = code in ChildExit._value2member_map_
    return f"exit code {code}, {ChildExit(code).name}" if known else f"exit code {code}"
