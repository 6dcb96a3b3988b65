"""What follows from the refusal of a subscription. Pure.

A refusal is sorted by what the venue means (`adapter.Retry`): never again, later, now. A whole request that was refused
for the sake of one topic in it is split until the topic is found: the others are not given up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from foxtrot_workers.adapter.notices import Retry

__all__ = ["NOW_ATTEMPTS_MAX", "REFUSED_ALL_S", "RETRY_FIRST_S", "RETRY_MAX_S", "halves", "retry_after_refusal_s"]

RETRY_FIRST_S: Final = 1.0
RETRY_MAX_S: Final = 60.0
"""Bounds of the wait after a passing refusal; it doubles with each one."""

NOW_ATTEMPTS_MAX: Final = 2
"""Refusals that allow another attempt at once; those after them are retried later."""

REFUSED_ALL_S: Final = 15.0
"""A connection that is not ready and all of whose topics are refused is given up after so many seconds."""

T = TypeVar("T")


def retry_after_refusal_s(retry: Retry, refusals: int) -> float | None:
    """Seconds until the topic is subscribed again; None: never.

    `refusals`: how many the topic has had in a row, this one included.
    """
    if retry == "never":
        return None
    if retry == "now" and refusals <= NOW_ATTEMPTS_MAX:
        return 0.0
    return float(min(RETRY_FIRST_S * 2.0 ** min(refusals - 1, 10), RETRY_MAX_S))


def halves(topics: Sequence[T]) -> list[Sequence[T]]:
    """Two requests in place of one that was refused as a whole."""
    middle = len(topics) // 2
    return [topics[:middle], topics[middle:]]
