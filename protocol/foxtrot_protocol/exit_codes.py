"""What exit codes mean: of a child to its supervisor, and of the supervisor to its caller.

The child's codes are a contract across the process border: they tell a crash (counted towards the
restart intensity) from an exchange that cannot be reached (waited for with backoff, however long) and
from a mistake that no restart can mend.
"""

from __future__ import annotations

import enum

__all__ = ["ChildExit", "ExitVerdict", "SupervisorExit", "verdict"]


class SupervisorExit(enum.IntEnum):
    """Exit status of ``foxtrot-supervisor``."""

    CLEAN = 0
    INTERNAL_ERROR = 1
    USAGE = 2
    START_FAILED = 3
    """Also: no run was found by a command that needs one."""
    KILL_NEEDED = 4
    """Everything ended, but a SIGKILL was needed, or events that workers had committed were given to no handler."""
    ESSENTIAL_FATAL = 5
    LEFTOVER = 6
    """The audit found something left behind."""
    UNKILLABLE = 7
    UNHEALTHY = 8
    """``doctor`` found something that needs somebody."""
    ALREADY_RUNNING = 75
    CONFIGURATION = 78


class ChildExit(enum.IntEnum):
    """Exit status of a supervised child."""

    CLEAN = 0
    CRASH = 1
    CONNECTION_LOST = 10
    """The exchange could not be reached, closed, or broke the transport."""
    REFUSED = 11
    """The exchange refused us (429, 418, ban); a delay may have been reported."""
    STALE = 12
    """Connected, but no data came."""
    ROTATE = 13
    """Replace this connection now: lifetime reached or shutdown announced by the exchange."""
    ORPHANED = 14
    """The supervisor was gone before this child was up."""
    OUT_OF_MEMORY = 15
    """No memory could be had: its own limit, or all there is."""
    NO_ROOM = 16
    """No room for its files and sockets in the run directory: it is tried again until there is."""
    CONFIGURATION = 78
    """The settings can never work (unknown exchange, handler not found): do not restart."""


class ExitVerdict(enum.Enum):
    """What a restart policy has to know about a death."""

    CLEAN = "clean"
    CRASH = "crash"
    """Abnormal: counts towards the restart intensity."""
    OUTSIDE = "outside"
    """The exchange's doing: backoff, but never FATAL."""
    ROTATE = "rotate"
    """Planned: replace at once."""
    PERMANENT = "permanent"
    """No restart can help: FATAL at once."""


_VERDICTS = {
    ChildExit.CLEAN: ExitVerdict.CLEAN,
    ChildExit.CONNECTION_LOST: ExitVerdict.OUTSIDE,
    ChildExit.REFUSED: ExitVerdict.OUTSIDE,
    ChildExit.STALE: ExitVerdict.OUTSIDE,
    ChildExit.NO_ROOM: ExitVerdict.OUTSIDE,
    ChildExit.ROTATE: ExitVerdict.ROTATE,
    ChildExit.CONFIGURATION: ExitVerdict.PERMANENT,
}


def verdict(exit_code: int | None, signal: int | None) -> ExitVerdict:
    """What the death of a child means; exactly one of `exit_code` and `signal` is not None."""
    if signal is not None or exit_code is None:
        return ExitVerdict.CRASH
    return _VERDICTS.get(exit_code, ExitVerdict.CRASH)  # type: ignore[call-overload, no-any-return]
