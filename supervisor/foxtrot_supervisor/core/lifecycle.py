"""State table of a supervised child: all states, and every transition between them. Decides nothing else.

Rule 1: a child's state changes through `step` only, by a transition in `TABLE`. Rule 2: every cell is decided. A cell
is either the next state or `ILLEGAL`. An illegal event raises `IllegalTransition` and changes nothing: it is a mistake
of this program, because late or repeated messages are sorted out before they become events.

A state is what was *observed* of the child's current incarnation. The *requested* target (`Desired`) is kept apart: a
child can be RUNNING although it is to be stopped (its turn has not come), or FATAL although it should run.

======== ============ =============================================================================
state    process?     meaning
======== ============ =============================================================================
STOPPED  none         not started yet, or ended as requested
STARTING perhaps      its process was requested; HELLO is awaited
CONNECTING yes        HELLO has come: it runs and its control link works; READY is awaited
RUNNING  yes          READY has come: it serves
BACKOFF  none         it has ended and will be started again at a known time
STOPPING perhaps      on the stop ladder, to end for good or to be replaced
EXITED   none         it has exited, and its restart policy does not restart it
FATAL    none         it has ended too often, or for a reason that no restart can mend
LOST     yes          it has survived SIGKILL (uninterruptible in the kernel); nothing more can be done
======== ============ =============================================================================

There are three kinds of events. Requests: START (its process is now requested), STOP (it is to end for good; legal in
every state, since a stop is never an error), REPLACE (this incarnation is to end, whatever follows). Observations:
HELLO, READY. Deaths, named after what follows from them, which `restart` decides: ENDED (as requested), RETRY, LEAVE,
GIVE_UP; LOSE is the death that has not come.

Cells that may surprise:

- READY leads to RUNNING even without HELLO: a child that serves is running.
- HELLO and READY change nothing on the stop ladder or in LOST: they do not undo a decision to end the child.
- STOP leaves EXITED, FATAL and LOST as they are: the state keeps saying how the child ended.
- A death in STARTING, CONNECTING or RUNNING may be ENDED: a stop was requested, and the child died before its turn.
- LOST is left when the death comes after all. Until then START is illegal: two incarnations would live.
- Only STOPPING can LOSE: a child is lost only after the whole ladder.
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
    """State observed of a child; the values are shown to operators."""

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
    """Requested target of a child; changed by requests only, never by what happens to the child."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


class Event(enum.Enum):
    """Events in the life of a child: requests, observations and deaths."""

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
"""Marks each illegal cell explicitly, so that no cell is forgotten."""

PROCESS_STATES: Final = frozenset({State.STARTING, State.CONNECTING, State.RUNNING, State.STOPPING, State.LOST})
"""States in which a process of the child may exist: no other may be started, and its messages count."""

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
"""The complete table, read only."""


def step(state: State, event: Event) -> State:
    """Return the state after `event` in `state`. Raises `IllegalTransition`."""
    after = TABLE[state][event]
    if after is ILLEGAL:
        raise IllegalTransition(state, event)
    return after
