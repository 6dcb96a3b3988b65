"""Times as exchanges write them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["iso_text"]


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def iso_text(time_ms: int) -> str:
    """Return ms since 1970 as ISO 8601 with microseconds, UTC: ``2023-10-06T17:35:55.440000Z``."""
    return f"{_second(time_ms // 1000)}.{time_ms % 1000:03d}000Z"
