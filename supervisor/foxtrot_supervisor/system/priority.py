"""Priority of a process that must not take time from others."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Final

__all__ = [
    "GROUP_ATTEMPTS_MAX",
    "NICENESS_MAX",
    "lower_threads",
    "raise_threads",
    "set_group",
    "step_back",
    "step_forward",
]

NICENESS_MAX: Final = 19
"""Lowest priority: next to a process of niceness 0 it gets 1.5 % of a processor, and all of one that is idle."""

GROUP_ATTEMPTS_MAX: Final = 50
"""Attempts to lower the group of the session."""

_AGAIN_S: Final = 0.11
"""Seconds between two attempts: the kernel takes one such change in 100 ms, of all processes without privileges."""

_PROC: Final = "/proc/self"


async def step_back(niceness: int) -> None:
    """Lower the priority of this process: of all its threads, and of its session.

    Linux may schedule each session as one group (``kernel.sched_autogroup_enabled``, sched(7)). Niceness then counts
    within the session only, and the group has a niceness of its own. A kernel without such groups, or a control group
    with a scheduler of its own (a systemd unit, a container), uses the niceness of threads alone.

    Args:
        niceness: 0 to `NICENESS_MAX`; added to that of the threads, and set for the group.
    """
    lower_threads(niceness)
    await _settle_group(niceness)


async def step_forward(own: int) -> None:
    """Take back what `step_back` has done, as far as the kernel lets: the group, and with privileges the threads.

    Args:
        own: niceness of the threads before.
    """
    raise_threads(own)
    await _settle_group(0)


async def _settle_group(niceness: int) -> None:
    for _ in range(GROUP_ATTEMPTS_MAX):
        if set_group(niceness):
            return
        await asyncio.sleep(_AGAIN_S)


def lower_threads(niceness: int, *, proc: str = _PROC) -> None:
    """Add `niceness` to that of the calling thread, and set all threads that have a higher priority to the result.

    Threads that they start inherit it.
    """
    wanted = min(NICENESS_MAX, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
    for thread in os.listdir(f"{proc}/task"):
        with contextlib.suppress(OSError):  # it has ended
            if os.getpriority(os.PRIO_PROCESS, int(thread)) < wanted:
                os.setpriority(os.PRIO_PROCESS, int(thread), wanted)


def raise_threads(own: int, *, proc: str = _PROC) -> None:
    """Set the niceness of all threads to `own`, where that is allowed: a higher priority needs a privilege."""
    for thread in os.listdir(f"{proc}/task"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, int(thread), own)


def set_group(niceness: int, *, proc: str = _PROC) -> bool:
    """Set the niceness of the session's group; return False if the kernel wants it to be tried again later.

    Only a process that leads its session does so: the group is everybody's in it.
    """
    if os.getsid(0) != os.getpid():
        return True
    try:
        group = os.open(f"{proc}/autogroup", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:  # a kernel without them
        return True
    try:
        os.write(group, b"%d" % niceness)
    except BlockingIOError:
        return False
    except OSError:
        return True  # not allowed: nothing else can be done
    finally:
        os.close(group)
    return True
