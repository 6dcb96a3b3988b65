"""Histogram of durations with bounded memory and bounded error. Pure.

Buckets are powers of two, each divided in eight, so that a percentile is at most 12.5 % off; only used buckets take
memory. Two windows rotate: percentiles cover between one and two window lengths, so that an old peak expires.
"""

from __future__ import annotations

__all__ = ["LatencyHistogram"]

_SUB_BITS = 3
_SUB_MASK = (1 << _SUB_BITS) - 1
_BITS_MAX = 63
"""Longer durations count as the longest of so many bits."""


def _upper_ns(bucket: int) -> int:
    bits = bucket >> _SUB_BITS
    if bits == 0:
        return bucket
    fraction = bucket & _SUB_MASK
    return ((1 << _SUB_BITS) + fraction + 1) << max(0, bits - 1 - _SUB_BITS)


class LatencyHistogram:
    """Durations in nanoseconds; percentiles in microseconds."""

    def __init__(self, window_s: float = 30.0) -> None:
        self._window_s = window_s
        self._current: dict[int, int] = {}
        self._previous: dict[int, int] = {}
        self._rotate_at: float | None = None

    def record(self, ns: int, count: int = 1) -> None:
        """Add `count` durations of `ns` nanoseconds; a negative one (wall clocks that differ) counts as 0."""
        bits = ns.bit_length()
        if ns < 0 or bits > _BITS_MAX:
            ns = 0 if ns < 0 else (1 << _BITS_MAX) - 1
            bits = ns.bit_length()
        # written out: it is called for every batch
        bucket = ns if bits <= _SUB_BITS else (bits << _SUB_BITS) | ((ns >> (bits - 1 - _SUB_BITS)) & _SUB_MASK)
        counts = self._current
        counts[bucket] = counts.get(bucket, 0) + count

    def rotate(self, now: float) -> None:
        """Expire the older window if it is due; `now` in monotonic seconds."""
        if self._rotate_at is None:
            self._rotate_at = now + self._window_s
        elif now >= self._rotate_at:
            self._rotate_at = now + self._window_s
            self._previous = self._current
            self._current = {}

    def percentile_us(self, fraction: float) -> float:
        """Return the duration in microseconds that `fraction` (0 to 1) of the events do not exceed; 0.0 for none."""
        # copied first: another thread may record meanwhile
        counts = self._previous.copy()
        for bucket, count in self._current.copy().items():
            counts[bucket] = counts.get(bucket, 0) + count
        total = sum(counts.values())
        if total == 0:
            return 0.0
        wanted = fraction * total
        seen = 0
        for bucket in sorted(counts):
            seen += counts[bucket]
            if seen >= wanted:
                return _upper_ns(bucket) / 1000.0
        raise AssertionError("a histogram's counts sum to its total")
