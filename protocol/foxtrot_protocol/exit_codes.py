"""Exit codes of children and of the supervisor, and what they mean for a restart.

The codes of children distinguish a crash, which counts towards the restart limit, from an exchange that cannot be
reached, which is retried with backoff for any time, and from a mistake that no restart can correct.
"""

from __future__ import annotations

import enum

__all__ = ["ChildExit", "ExitVerdict", "SupervisorExit", "verdict"]


class SupervisorExit(enum.IntEnum):
    """Exit status of ``foxtrot-supervisor``."""

    CLEAN = 0
    """Success."""
    INTERNAL_ERROR = 1
    """A defect of this program, or a request that the supervisor refused."""
    USAGE = 2
    """Invalid command line."""
    START_FAILED = 3
    """The run could not be started, or a command that needs one found none."""
    KILL_NEEDED = 4
    """Everything ended, but a SIGKILL was needed, or committed events were given to no handler."""
    ESSENTIAL_FATAL = 5
    """An essential child has failed permanently."""
    LEFTOVER = 6
    """The audit found something left behind."""
    UNKILLABLE = 7
    """A child did not end after SIGKILL."""
    UNHEALTHY = 8
    """``doctor`` found a problem."""
    ALREADY_RUNNING = 75
    """Another supervisor runs in the same directory."""
    CONFIGURATION = 78
    """The configuration is invalid."""


class ChildExit(enum.IntEnum):
    """Exit status of a supervised child."""

    CLEAN = 0
    """Stopped as requested."""
    CRASH = 1
    """An exception; so does every code that is not listed here."""
    CONNECTION_LOST = 10
    """The exchange could not be reached, or it closed or broke the connection."""
    REFUSED = 11
    """The exchange refused the connection (429, 418, ban); it may have named a delay."""
    STALE = 12
    """Connected, but no data came."""
    ROTATE = 13
    """The connection has reached its age, or the exchange has announced its end: replace it at once."""
    ORPHANED = 14
    """The supervisor had ended before this child ran."""
    OUT_OF_MEMORY = 15
    """An allocation failed: the child's own limit, or the machine's memory."""
    NO_ROOM = 16
    """No space for its files and sockets in the run directory: retried until there is."""
    CONFIGURATION = 78
    """The settings cannot work (unknown exchange, handler not found): not restarted."""


class ExitVerdict(enum.Enum):
    """What the death of a child means for its restart."""

    CLEAN = "clean"
    """Ended as requested."""
    CRASH = "crash"
    """Abnormal: counts towards the restart limit."""
    OUTSIDE = "outside"
    """Caused outside this program: backoff, but never FATAL."""
    ROTATE = "rotate"
    """Planned: replaced at once."""
    PERMANENT = "permanent"
    """No restart can succeed: FATAL at once."""


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
    """Return what the death of a child means; exactly one of `exit_code` and `signal` is not None."""
    if signal is not None or exit_code is None:
        return ExitVerdict.CRASH
    return _VERDICTS.get(exit_code, ExitVerdict.CRASH)  # type: ignore[call-overload, no-any-return]
