"""Quantities as short text for people. Pure."""

from __future__ import annotations

__all__ = ["duration", "mebibytes", "microseconds", "milliseconds", "quantity"]


def duration(seconds: float | None) -> str:
    """Return a duration in at most two units: ``0.4s``, ``12s``, ``3m05s``, ``2h07m``, ``3d04h``; a dash for None."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h"


def quantity(number: float | None) -> str:
    """Return a count, shortened: ``950``, ``12.3k``, ``4.1M``; a dash for None."""
    if number is None:
        return "-"
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= factor:
            scale = 1e3 if unit == "k" else factor
            return f"{number / scale:.1f}{unit}"
    return f"{number:.0f}"


def microseconds(value: float | None) -> str:
    """Return a time given in microseconds: ``130us``, ``34ms``, ``12s``; a dash for None and 0 (none measured)."""
    if not value:
        return "-"
    if value < 10_000:
        return f"{value:.0f}us"
    return f"{value / 1000:.0f}ms" if value < 10_000_000 else f"{value / 1_000_000:.0f}s"


def milliseconds(value: float | None) -> str:
    """Return a time given in milliseconds: ``0.3ms``, ``34ms``, ``12s``; a dash for None."""
    if value is None:
        return "-"
    if value < 10:
        return f"{value:.1f}ms"
    return f"{value:.0f}ms" if value < 10_000 else f"{value / 1000:.0f}s"


def mebibytes(value: float | None) -> str:
    """Return a size given in bytes: ``20M``; a dash for None and 0."""
    return f"{value / 2**20:.0f}M" if value else "-"
