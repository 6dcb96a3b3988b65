"""Which fills lie between two trades of an exchange that merges several fills into one trade. Pure.

OKX's trades channel sends one trade for the fills of one order at one price, with their number `count` and a `tradeId`.
OKX's reference calls that the identifier of the last fill; no recording confirms it. So the stream itself is the
evidence: between two adjacent trades, the step of identifiers is the number of fills of the second trade if identifiers
name the last fill, and of the first trade if they name the first.

Until that is known, only fills that are missing under both readings count as missing. Others are announced as doubtful
and not fetched: no fill is lost silently, and none is delivered twice.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from msgspec import Struct

__all__ = ["EVIDENCE_ENOUGH", "EVIDENCE_MAX", "Interval", "Missing", "missing_fills", "weigh"]

EVIDENCE_MAX: Final = 8
"""Bound of the evidence, so that it can be reversed."""

EVIDENCE_ENOUGH: Final = 4
"""Evidence at which it is no longer collected."""

Interval: TypeAlias = tuple[int, int]
"""First and last identifier, inclusive."""


class Missing(Struct, frozen=True):
    """Fills between two trades: `certain` ones, None if there are none, and those that may belong to either trade."""

    certain: Interval | None
    doubtful: tuple[Interval, ...]


def weigh(evidence: int, step: int, count_before: int, count: int) -> int:
    """`evidence` after two trades that follow each other directly; above 0: identifiers name the last fill.

    Args:
        evidence: what is known so far, within plus or minus `EVIDENCE_MAX`; 0: nothing.
        step: the second identifier minus the first.
        count_before: fills of the first trade, at least 1.
        count: fills of the second trade, at least 1.
    """
    if count == count_before:
        return evidence
    if step == count:
        return min(evidence + 1, EVIDENCE_MAX)
    return max(evidence - 1, -EVIDENCE_MAX) if step == count_before else evidence


def missing_fills(last: int, last_count: int, number: int, count: int, evidence: int) -> Missing:
    """Fills that lie between the trades `last` and `number`, which stand for `last_count` and `count` fills."""
    low = last + 1 if evidence > 0 else last + last_count
    high = number - 1 if evidence < 0 else number - count
    certain = (low, high) if low <= high else None
    if evidence:
        return Missing(certain, ())
    either = ((last + 1, min(last + last_count, number) - 1), (max(number - count, last) + 1, number - 1))
    doubtful = tuple(interval for interval in dict.fromkeys(either) if interval[0] <= interval[1])
    if certain is None and doubtful:  # they may overlap
        doubtful = ((doubtful[0][0], doubtful[-1][1]),)
    return Missing(certain, doubtful)
