"""Which worker of a connection fetches fresh book snapshots for the engine."""

from __future__ import annotations

from foxtrot_protocol.commands import BOOK_ATTEMPTS_EACH

__all__ = ["turn_of"]


def turn_of(attempt: int, workers: int) -> int:
    """Return the index of the worker that serves this attempt.

    `attempt` counts from 1, `workers` is the number of workers that serve (at least 1). The workers take turns, each
    for `BOOK_ATTEMPTS_EACH` attempts.
    """
    return (attempt - 1) // BOOK_ATTEMPTS_EACH % workers
