"""The intervals that bars can have."""

from __future__ import annotations

__all__ = ["INTERVALS"]

_MINUTE_NS = 60_000_000_000

INTERVALS: dict[str, int] = {
    "1s": 1_000_000_000,
    "1m": _MINUTE_NS,
    "3m": 3 * _MINUTE_NS,
    "5m": 5 * _MINUTE_NS,
    "15m": 15 * _MINUTE_NS,
    "30m": 30 * _MINUTE_NS,
    "1h": 60 * _MINUTE_NS,
    "2h": 120 * _MINUTE_NS,
    "4h": 240 * _MINUTE_NS,
    "6h": 360 * _MINUTE_NS,
    "12h": 720 * _MINUTE_NS,
    "1d": 1440 * _MINUTE_NS,
}
"""Length of each interval in ns. Bars start at whole multiples of their interval since 1970 UTC."""
