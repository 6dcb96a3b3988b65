"""Checks, before anything is started, that this process may have the descriptors and threads that a run needs.

Libraries in C abort the process without them (libzmq asserts): a clear refusal has to come first.
"""

from __future__ import annotations

import resource
import threading

__all__ = [
    "DESCRIPTORS_BASE",
    "DESCRIPTORS_PER_CHILD",
    "THREADS_MAX",
    "THREADS_PER_PROCESS",
    "CannotStart",
    "check_room",
    "descriptors_needed",
    "threads_needed",
]

DESCRIPTORS_BASE = 40
"""Of a supervisor without children: event loop, sockets, lock, guard, some operators."""

DESCRIPTORS_PER_CHILD = 4

THREADS_PER_PROCESS = 4
"""The main thread, two of ZeroMQ, one to write logs."""

THREADS_MAX = 64
"""Threads that are tried at most; children beyond these are left to backoff."""


class CannotStart(Exception):
    """The run cannot be started on this system as it is now; the text says what is missing."""


def descriptors_needed(children: int) -> int:
    """Return the descriptors that a supervisor of so many children needs."""
    return DESCRIPTORS_BASE + DESCRIPTORS_PER_CHILD * children


def threads_needed(children: int) -> int:
    """Return the threads of a whole run, which count together for the limit of processes; at most `THREADS_MAX`."""
    return min(THREADS_MAX, THREADS_PER_PROCESS * (children + 1))


def check_room(children: int, *, raise_limit: bool) -> None:
    """Raise `CannotStart` if a supervisor of so many children cannot work.

    `raise_limit`: raise the soft limit of descriptors if only that is too low; not in an application's process.
    """
    _check_descriptors(descriptors_needed(children), raise_limit=raise_limit)
    _check_threads(threads_needed(children))


def _check_descriptors(needed: int, *, raise_limit: bool) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if raise_limit and (hard == resource.RLIM_INFINITY or hard >= needed):
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        return
    allowed = max(soft, hard) if raise_limit else soft
    raise CannotStart(f"too few open files are allowed: {allowed}, at least {needed} are needed (ulimit -n)")


def _check_threads(needed: int) -> None:
    """Start so many threads at the same time, then end them. Raises `CannotStart`."""
    done = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(needed):
            thread = threading.Thread(target=done.wait, name="foxtrot-preflight", daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:
        raise CannotStart(
            f"too few processes and threads are allowed: {len(started)} more can be started, {needed} are needed "
            "(ulimit -u, or the limit of the container)"
        ) from None
    finally:
        done.set()
        for thread in started:
            thread.join()
