"""Ages for people. Pure."""

from __future__ import annotations

__all__ = ["age_text"]


def age_text(age_s: float) -> str:
    """Return an age in seconds in the largest unit that fits: ``3 min``."""
    for unit, seconds in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if age_s >= seconds:
            return f"{age_s / seconds:.0f} {unit}"
    return f"{age_s:.0f} s"
