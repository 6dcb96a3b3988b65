"""Processes of a campaign that end with it, also when the campaign gets SIGKILL."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from foxtrot_supervisor.system.interpreter import find_interpreter

__all__ = ["bound"]

_BIND: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, int(signal.SIGTERM), 0, 0, 0)  # PR_SET_PDEATHSIG; prctl(2): it survives execve
if os.getppid() == int(sys.argv[1]):  # else the parent has died before
    os.execvp(sys.argv[2], sys.argv[2:])
"""


def bound(command: Sequence[str]) -> list[str]:
    """Return `command` so that its process gets SIGTERM when the thread that starts it ends.

    A supervisor then stops as it does for an operator, and a simulated exchange ends.
    """
    return [find_interpreter(), "-I", "-S", "-c", _BIND, str(os.getpid()), *command]
