from __future__ import annotations

from foxtrot_workers.simulator.venues.answer import Answer, retry_after


def test_when_to_come_again_is_at_least_a_second() -> None:
    assert retry_after(None) == {}
    assert retry_after(0.2) == {"Retry-After": "1"}
    assert retry_after(7.4) == {"Retry-After": "7"}


def test_answers_are_values() -> None:
    assert Answer(200, b"{}") == Answer(200, b"{}", 1, {})
