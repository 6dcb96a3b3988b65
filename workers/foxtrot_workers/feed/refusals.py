"""Policy for refused subscriptions. Pure.

A refusal means never again, later or now (`notices.Retry`). A request that was refused as a whole because of one topic
is split until that topic is found, so that the others are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from foxtrot_workers.adapter.notices import Retry

__all__ = ["NOW_ATTEMPTS_MAX", "REFUSED_ALL_S", "RETRY_FIRST_S", "RETRY_MAX_S", "halves", "retry_after_refusal_s"]

RETRY_FIRST_S: Final = 1.0
RETRY_MAX_S: Final = 60.0
"""Bounds of the delay in seconds after a temporary refusal; it doubles with each one."""

NOW_ATTEMPTS_MAX: Final = 2
"""Consecutive refusals after which a topic is retried at once; further ones are retried later."""

REFUSED_ALL_S: Final = 15.0
"""A connection that is not ready and has all its topics refused is left after this many seconds."""

T = TypeVar("T")


def retry_after_refusal_s(retry: Retry, refusals: int) -> float | None:
    """Return the seconds until the topic is subscribed again; None: never.

    `refusals`: consecutive refusals of the topic, including this one.
    """
    if retry == "never":
        return None
    if retry == "now" and refusals <= NOW_ATTEMPTS_MAX:
        return 0.0
    return float(min(RETRY_FIRST_S * 2.0 ** min(refusals - 1, 10), RETRY_MAX_S))


def halves(topics: Sequence[T]) -> list[Sequence[T]]:
    """Return the topics of two requests that replace one that was refused as a whole."""
    middle = len(topics) // 2
    return [topics[:middle], topics[middle:]]
