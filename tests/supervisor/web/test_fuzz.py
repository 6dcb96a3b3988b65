"""Wrong requests, seeded, in a short form: none changes or shows anything. The long form: tests/support/web_fuzz.py."""

from __future__ import annotations

from tests.support.web_fuzz import attack

COUNT = 300


async def test_wrong_requests_change_and_show_nothing() -> None:
    answers = await attack(COUNT, seed=14)
    assert answers.total() == COUNT
    assert {"401", "403", "404", "405", "421"} <= set(answers), "each kind of refusal was met"
