"""Space on the disk of a directory."""

from __future__ import annotations

import os

__all__ = ["disk_space"]


def disk_space(path: str) -> tuple[int | None, int | None]:
    """Return the free and all bytes of the file system that has `path`; None, None if it cannot be asked."""
    try:
        facts = os.statvfs(path)
    except (OSError, ValueError):
        return None, None
    return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
