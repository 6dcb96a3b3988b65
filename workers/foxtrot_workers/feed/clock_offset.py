"""Offset between this machine's clock and an exchange's, from requests for its time. Pure.

A request is sent at `sent_ns` and answered at `received_ns` by this machine's clock. The exchange read its clock at
some moment between the two, so the offset is known up to half the round trip and half a step of the exchange's answers.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

__all__ = ["Offset", "best", "measured"]


class Offset(Struct, frozen=True):
    """Nanoseconds by which this machine's clock is ahead of the exchange's, and how much it may differ from that."""

    offset_ns: int
    error_ns: int


def measured(sent_ns: int, received_ns: int, exchange_ns: int, resolution_ns: int) -> Offset | None:
    """Return the offset by one answer; None if this machine's clock was set back meanwhile."""
    if received_ns < sent_ns:
        return None
    # the exchange's time is rounded down
    exchange_ns += resolution_ns // 2
    return Offset((sent_ns + received_ns) // 2 - exchange_ns, (received_ns - sent_ns + resolution_ns) // 2)


def best(offsets: Iterable[Offset | None]) -> Offset | None:
    """Return the most precise one; None if there is none."""
    return min((offset for offset in offsets if offset is not None), key=lambda each: each.error_ns, default=None)
