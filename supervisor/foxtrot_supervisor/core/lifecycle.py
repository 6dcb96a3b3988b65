"""States of a supervised child and every move between them; decides nothing else.

Rule 1: whatever changes a child's state goes through `step` and stands in `TABLE`. Rule 2: every cell is
decided. A cell is either the next state or `ILLEGAL`; an illegal event raises `IllegalTransition` and
changes nothing, because it is a mistake of this program: what comes from outside (late or repeated messages)
is sorted out before it becomes an event.

What a state says is what was *observed* of the child's current incarnation. What is *wanted* of it
(`Desired`) is kept beside it and never mixed in: a child can be RUNNING and unwanted (its turn to stop has not
come), or FATAL and wanted.

======== ============ =============================================================================
state    process?     meaning
======== ============ =============================================================================
STOPPED  none         not started yet, or ended because that was wanted
STARTING perhaps      its process was asked for; HELLO awaited
CONNECTING yes        HELLO came: it runs and its control link works; READY awaited
RUNNING  yes          READY came: it serves
BACKOFF  none         it ended and will be started again at a known time
STOPPING perhaps      on the stop ladder, to end for good or to be replaced
EXITED   none         it ended by itself and its restart policy leaves it at that
FATAL    none         it ended too often, or for a reason that no restart mends
LOST     yes          it outlived SIGKILL (uninterruptible in the kernel); nothing more can be done to it
======== ============ =============================================================================

Events are of three sorts. Things wanted: START (its process is now asked for), STOP (wanted gone: legal in each
state, since a stop is never an error), REPLACE (this incarnation has to go, whatever comes then). Things seen:
HELLO, READY. And deaths, named for what follows from them, which `restart` decides: ENDED (it was to end),
RETRY, LEAVE, GIVE_UP; LOSE is the death that did not happen.

Cells that may surprise:

- READY leads to RUNNING even without HELLO: who serves, runs.
- HELLO and READY change nothing once on the ladder (or LOST): a child's good news does not undo a decision to end it.
- STOP leaves EXITED, FATAL and LOST as they are: the state keeps telling how it ended.
- A death in STARTING, CONNECTING or RUNNING may be ENDED as well: unwanted, but it died before its turn came.
- LOST is left by the death that came after all; until then START is illegal, or two incarnations would live.
- Only STOPPING can LOSE: nothing is lost that was not given the whole ladder.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from foxtrot_protocol.errors import LocalError

__all__ = [
    "ILLEGAL",
    "PROCESS_STATES",
    "TABLE",
    "Desired",
    "Event",
    "IllegalTransition",
    "State",
    "step",
]


class State(enum.Enum):
    """What was observed of a child; the values are the words operators read."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    CONNECTING = "CONNECTING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    STOPPING = "STOPPING"
    EXITED = "EXITED"
    FATAL = "FATAL"
    LOST = "LOST"


class Desired(enum.Enum):
    """What is wanted of a child; only requests change it, never what happens to the child."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


class Event(enum.Enum):
    """What can happen to a child."""

    START = "start"
    HELLO = "hello"
    READY = "ready"
    STOP = "stop"
    REPLACE = "replace"
    ENDED = "ended"
    RETRY = "retry"
    LEAVE = "leave"
    GIVE_UP = "give up"
    LOSE = "lose"


class IllegalTransition(LocalError):
    """`event` cannot happen in `state`: a mistake of this program. Nothing was changed."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event.value!r} is illegal in state {state.value}")
        self.state = state
        self.event = event


ILLEGAL: Final = None
"""Written out in every cell that must not be entered, so that none is merely forgotten."""

PROCESS_STATES: Final = frozenset({State.STARTING, State.CONNECTING, State.RUNNING, State.STOPPING, State.LOST})
"""States in which a process of the child may exist: it must not be started now, and its messages count."""

_DIES: Final = {
    Event.ENDED: State.STOPPED,
    Event.RETRY: State.BACKOFF,
    Event.LEAVE: State.EXITED,
    Event.GIVE_UP: State.FATAL,
}
_HAS_NO_PROCESS: Final = {
    Event.HELLO: ILLEGAL,
    Event.READY: ILLEGAL,
    Event.REPLACE: ILLEGAL,
    Event.ENDED: ILLEGAL,
    Event.RETRY: ILLEGAL,
    Event.LEAVE: ILLEGAL,
    Event.GIVE_UP: ILLEGAL,
    Event.LOSE: ILLEGAL,
}

_ROWS: Final[Mapping[State, Mapping[Event, State | None]]] = {
    State.STOPPED: {Event.START: State.STARTING, Event.STOP: State.STOPPED, **_HAS_NO_PROCESS},
    State.STARTING: {
        Event.START: ILLEGAL,
        Event.HELLO: State.CONNECTING,
        Event.READY: State.RUNNING,
        Event.STOP: State.STOPPING,
        Event.REPLACE: State.STOPPING,
        **_DIES,
        Event.LOSE: ILLEGAL,
    },
    State.CONNECTING: {
        Event.START: ILLEGAL,
        Event.HELLO: State.CONNECTING,
        Event.READY: State.RUNNING,
        Event.STOP: State.STOPPING,
        Event.REPLACE: State.STOPPING,
        **_DIES,
        Event.LOSE: ILLEGAL,
    },
    State.RUNNING: {
        Event.START: ILLEGAL,
        Event.HELLO: State.RUNNING,
        Event.READY: State.RUNNING,
        Event.STOP: State.STOPPING,
        Event.REPLACE: State.STOPPING,
        **_DIES,
        Event.LOSE: ILLEGAL,
    },
    State.BACKOFF: {Event.START: State.STARTING, Event.STOP: State.STOPPED, **_HAS_NO_PROCESS},
    State.STOPPING: {
        Event.START: ILLEGAL,
        Event.HELLO: State.STOPPING,
        Event.READY: State.STOPPING,
        Event.STOP: State.STOPPING,
        Event.REPLACE: State.STOPPING,
        **_DIES,
        Event.LOSE: State.LOST,
    },
    State.EXITED: {Event.START: State.STARTING, Event.STOP: State.EXITED, **_HAS_NO_PROCESS},
    State.FATAL: {Event.START: State.STARTING, Event.STOP: State.FATAL, **_HAS_NO_PROCESS},
    State.LOST: {
        Event.START: ILLEGAL,
        Event.HELLO: State.LOST,
        Event.READY: State.LOST,
        Event.STOP: State.LOST,
        Event.REPLACE: ILLEGAL,
        **_DIES,
        Event.LOSE: ILLEGAL,
    },
}

TABLE: Final[Mapping[State, Mapping[Event, State | None]]] = MappingProxyType(
    {state: MappingProxyType(row) for state, row in _ROWS.items()}
)
"""The whole table; it cannot be changed."""


def step(state: State, event: Event) -> State:
    """The state after `event` in `state`; raises `IllegalTransition`, changing nothing."""
    after = TABLE[state][event]
    if after is ILLEGAL:
        raise IllegalTransition(state, event)
    return after
