"""Figures that a process can read about itself at low cost: memory and descriptors."""

from __future__ import annotations

import os
import resource
import sys

__all__ = ["open_fds", "rss_bytes"]


def rss_bytes() -> int:
    """Return the resident memory in bytes; its peak where the present value is not available."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def open_fds() -> int:
    """Return the number of open descriptors; 0 where it is not available."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0
