"""Growth detection: robust slopes over bounded windows of samples, compared with a limit for each figure. Pure.

The slope is the Theil-Sen estimator, the median of the slopes between all pairs of samples, which single peaks hardly
move. A figure is *growing* if its growth over the window is at least the limit, exceeds the noise, and continues in the
later half of the window: a figure that only warms up is no leak.

There are two windows. The fine one has the latest samples and finds fast leaks. Each sample of the coarse one is the
minimum of many fine ones (a leak lifts the minimum, whatever the peaks do); it finds slow leaks. Times are seconds of
any monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = [
    "COARSE_SAMPLES",
    "LIMITS",
    "SAMPLES_MAX",
    "Growth",
    "GrowthWatch",
    "Limit",
    "Verdict",
    "theil_sen",
]

Verdict: TypeAlias = Literal["early", "steady", "growing", "over"]
"""``early``: too few samples; ``over``: above the upper limit, whether it grows or not."""

SAMPLES_MAX = 60
"""Samples of each window: 1,770 pairs, half a millisecond, computed only if first and last sample differ enough."""

COARSE_SAMPLES = 60
"""Fine samples that are combined to one coarse sample."""

SAMPLES_LEAST = 8
NOISE_FACTOR = 4.0
"""Growth over the window must be this multiple of the deviation of the residuals."""

LATER_SHARE = 0.3
"""The later half must grow at least at this share of the slope of the whole window."""

_MAD_TO_DEVIATION = 1.4826
_MIB = 1024.0 * 1024.0


class Limit(Struct, frozen=True):
    """Limits of one figure, in its unit."""

    least_growth: float
    """Smallest growth over a window that is reported."""
    most: float | None = None
    """Values above are ``over``; None: no upper limit."""


LIMITS: dict[str, Limit] = {
    "rss_bytes": Limit(16 * _MIB),
    "open_fds": Limit(8),
    "threads": Limit(4, 256),
    "tasks": Limit(16, 10_000),
    "queue_depth": Limit(1000),
    "handlers": Limit(64, 100_000),
    "garbage": Limit(8, 0),
}
"""Default limits. `garbage`: objects that the collector could not free; any is too much."""


class Growth(Struct, frozen=True):
    """Judgement of one figure."""

    verdict: Verdict
    value: float
    """The latest value."""
    per_hour: float = 0.0
    """The slope; 0 where first and last sample differ too little to compute it."""
    span_s: float = 0.0
    """Length of the judged window, in seconds."""


def theil_sen(samples: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return slope (units per second) and deviation of the residuals of ``(second, value)`` samples; (0, 0) for one."""
    slopes = [
        (value - other) / (at - before)
        for index, (at, value) in enumerate(samples)
        for before, other in samples[:index]
        if at > before
    ]
    if not slopes:
        return 0.0, 0.0
    slope = median(slopes)
    residuals = [value - slope * at for at, value in samples]
    middle = median(residuals)
    return slope, _MAD_TO_DEVIATION * median(abs(residual - middle) for residual in residuals)


class GrowthWatch:
    """Judges the figures of one process. `least_s`: shortest window that is judged, in seconds."""

    def __init__(self, limits: Mapping[str, Limit] = LIMITS, *, least_s: float = 120.0) -> None:
        self._limits = limits
        self._least_s = least_s
        self._fine: dict[str, deque[tuple[float, float]]] = {}
        self._coarse: dict[str, deque[tuple[float, float]]] = {}
        self._since_coarse = 0
        self.growths: dict[str, Growth] = {}
        """The latest judgement of each figure that has a limit."""

    def sample(self, now: float, figures: Mapping[str, float]) -> list[str]:
        """Add the figures at second `now`; return those that newly exceed their limit; others are ignored."""
        self._since_coarse += 1
        coarse_due = self._since_coarse >= COARSE_SAMPLES
        if coarse_due:
            self._since_coarse = 0
        exceeding = []
        for name, value in figures.items():
            limit = self._limits.get(name)
            if limit is None:
                continue
            fine = self._fine.setdefault(name, deque(maxlen=SAMPLES_MAX))
            fine.append((now, value))
            coarse = self._coarse.setdefault(name, deque(maxlen=SAMPLES_MAX))
            if coarse_due:
                coarse.append((now, min(value for _, value in fine)))
            before = self.growths.get(name)
            growth = self.growths[name] = self._judge(limit, value, fine, coarse)
            if growth.verdict in _BAD and (before is None or before.verdict != growth.verdict):
                exceeding.append(name)
        return exceeding

    def bad(self) -> list[str]:
        """Return the figures that grow or are over their limit."""
        return [name for name, growth in self.growths.items() if growth.verdict in _BAD]

    def restart(self) -> None:
        """Forget all samples: another process has replaced this one."""
        self._fine.clear()
        self._coarse.clear()
        self._since_coarse = 0
        self.growths.clear()

    def _judge(
        self, limit: Limit, value: float, fine: Sequence[tuple[float, float]], coarse: Sequence[tuple[float, float]]
    ) -> Growth:
        judged = [self._window(limit, value, list(window)) for window in (fine, coarse) if window]
        growth = next((each for each in judged if each.verdict == "growing"), judged[0])
        if limit.most is not None and value > limit.most:
            return Growth("over", value, growth.per_hour, growth.span_s)
        return growth

    def _window(self, limit: Limit, value: float, samples: list[tuple[float, float]]) -> Growth:
        span_s = samples[-1][0] - samples[0][0]
        if len(samples) < SAMPLES_LEAST or span_s < self._least_s:
            return Growth("early", value, 0.0, span_s)
        if samples[-1][1] - samples[0][1] < limit.least_growth / 2:
            return Growth("steady", value, 0.0, span_s)
        slope, noise = theil_sen(samples)
        later, _ = theil_sen(samples[len(samples) // 2 :])
        grown = slope * span_s
        growing = grown >= max(limit.least_growth, NOISE_FACTOR * noise) and later >= LATER_SHARE * slope
        return Growth("growing" if growing else "steady", value, slope * 3600.0, span_s)


_BAD = frozenset(("growing", "over"))
