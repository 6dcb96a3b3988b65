"""How long a start will still take."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_supervisor.report.start_progress import remaining_s


def account(kind: str = "connect", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "limit": 300, "period_s": 300.0, "used": 300, "waiting": 0, "closed_s": 0.0, **more}


@pytest.mark.parametrize(
    ("serving", "accounts", "left_s"),
    [
        (0, [], None),
        (1000, [], 0.0),
        (250, [], 30.0),
        (250, [account(waiting=750)], 600.0),
        (0, [account(waiting=300)], None),
        (0, [account(waiting=301)], 300.0),
        (250, [account(used=0, waiting=300)], 30.0),
        (250, [account("rest", waiting=3000)], 30.0),
        (250, [account(limit=0, waiting=9, closed_s=120.0)], 120.0),
    ],
)
def test_the_longer_of_pace_and_limits(serving: int, accounts: list[dict[str, Any]], left_s: float | None) -> None:
    assert remaining_s(1000, serving, 10.0, accounts) == left_s
