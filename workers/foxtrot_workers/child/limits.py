"""Resource limits that the kernel enforces on this process and its descendants.

Memory: the soft limit is the configured one, the hard limit is slightly higher. A process at its limit could not even
report that; `relax_memory` raises the soft limit for the report.
"""

from __future__ import annotations

import resource

from foxtrot_protocol.spec import ResourceLimits

__all__ = ["LAST_WORDS_MIB", "LimitRefused", "apply_limits", "relax_memory"]

LAST_WORDS_MIB = 16
"""Memory beyond the limit for reporting that it was reached."""

_MIB = 1024 * 1024


class LimitRefused(Exception):
    """The kernel refuses a configured limit; `reason` says which and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def apply_limits(limits: ResourceLimits) -> None:
    """Set `limits` for this process; may be called repeatedly. Raises `LimitRefused`."""
    _, core_hard = resource.getrlimit(resource.RLIMIT_CORE)
    # the hard limit is kept: workers forked from a nursery must be able to raise their own
    resource.setrlimit(resource.RLIMIT_CORE, (core_hard if limits.core_dumps else 0, core_hard))
    if limits.open_files is not None:
        _set("open_files", resource.RLIMIT_NOFILE, limits.open_files, limits.open_files, unit=1)
    if limits.memory_mib is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = (limits.memory_mib + LAST_WORDS_MIB) * _MIB
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        _set("memory_mib", resource.RLIMIT_DATA, limits.memory_mib * _MIB, most, unit=_MIB)


def relax_memory() -> None:
    """Raise the memory limit of this process to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _set(name: str, kind: int, soft: int, hard: int, unit: int) -> None:
    _, allowed = resource.getrlimit(kind)
    try:
        resource.setrlimit(kind, (soft, hard))
    except (ValueError, OSError):
        raise LimitRefused(f"{name} = {soft // unit} is refused: this process is allowed {allowed // unit}") from None
