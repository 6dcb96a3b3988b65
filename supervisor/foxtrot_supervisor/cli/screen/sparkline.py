"""Series of numbers as a line of block characters. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["sparkline"]

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(points: Sequence[float], width: int) -> str:
    """Return the last `width` of `points`, the largest as a full block; blank where nothing is known (NaN).

    Right-aligned: the latest point stands at the end.
    """
    shown = points[-width:]
    known = [point for point in shown if not math.isnan(point)]
    top = max(known, default=0.0)
    bars = "".join(" " if math.isnan(point) else _bar(point, top) for point in shown)
    return bars.rjust(width)


def _bar(point: float, top: float) -> str:
    if point <= 0.0 or top <= 0.0:
        return _BARS[0]
    return _BARS[min(len(_BARS) - 1, int(point / top * len(_BARS)))]
