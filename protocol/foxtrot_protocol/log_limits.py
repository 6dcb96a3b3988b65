"""Limits of logs: repeated lines are held back, long fields are shortened. Pure.

A crash loop, or a peer that sends garbage, must not fill a disk.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["KEYS_MAX", "REPEATS_PERIOD_S", "TRACE_CHARACTERS_MAX", "Repetition", "shorten"]

K = TypeVar("K", bound=Hashable)

REPEATS_PERIOD_S = 60.0
"""Period in which repetitions of a line are counted."""

KEYS_MAX = 1000
"""Maximum number of different lines remembered; when it is reached, all are forgotten."""

TRACE_CHARACTERS_MAX = 8000
"""Maximum length of the fields ``trace`` and ``stack``, of which the end matters."""


class Repetition(Generic[K]):
    """Admits at most `repeats_max` lines with the same key in `REPEATS_PERIOD_S`, and counts the others."""

    def __init__(self, repeats_max: int) -> None:
        self._repeats_max = repeats_max
        self._seen: dict[K, tuple[float, int]] = {}

    def admit(self, key: K, now: float) -> int | None:
        """Return None to hold a line back, else how many with this key were held back before.

        Args:
            key: what makes lines alike: the event, or event and worker.
            now: monotonic seconds.
        """
        if key not in self._seen and len(self._seen) >= KEYS_MAX:
            self._seen.clear()
        since, count = self._seen.get(key, (now, 0))
        held_back = 0
        if now - since >= REPEATS_PERIOD_S:
            held_back, since, count = max(0, count - self._repeats_max), now, 0
        self._seen[key] = (since, count + 1)
        return held_back if count < self._repeats_max else None

    def expired(self, now: float) -> list[tuple[K, int]]:
        """Forget what was not repeated within `REPEATS_PERIOD_S`; return keys and how many each held back."""
        over = {key: count for key, (since, count) in self._seen.items() if now - since >= REPEATS_PERIOD_S}
        for key in over:
            del self._seen[key]
        return [(key, count - self._repeats_max) for key, count in over.items() if count > self._repeats_max]


def shorten(field: str, text: str, characters_max: int) -> str:
    """Return `text` within `characters_max`; of a trace, which may be longer, the end is kept."""
    if field in ("trace", "stack"):
        return text if len(text) <= TRACE_CHARACTERS_MAX else "…" + text[-TRACE_CHARACTERS_MAX:]
    return text if len(text) <= characters_max else text[:characters_max] + "…"
