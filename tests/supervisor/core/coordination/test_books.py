from __future__ import annotations

from foxtrot_protocol.commands import BOOK_ATTEMPTS_EACH
from foxtrot_supervisor.core.coordination.books import turn_of


def test_workers_take_turns_when_one_brings_nothing() -> None:
    assert [turn_of(attempt, 2) for attempt in range(1, 10)] == [0] * BOOK_ATTEMPTS_EACH + [1] * BOOK_ATTEMPTS_EACH + [
        0
    ]
    assert turn_of(7, 1) == 0
