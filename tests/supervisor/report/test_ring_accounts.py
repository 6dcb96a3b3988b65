"""A worker's account over all its rings."""

from __future__ import annotations

from foxtrot_protocol.commands import Drained
from foxtrot_protocol.ring_layout import RingFigures
from foxtrot_supervisor.report.ring_accounts import RingAccount, RingAccounts


def ring(incarnation: int, committed: int, applied: int) -> RingFigures:
    return RingFigures(
        worker="w.a",
        incarnation=incarnation,
        capacity_bytes=4096,
        used_bytes=8,
        committed_events=committed,
        applied_events=applied,
        lost_events=1,
        redelivered_events=2,
        dropped_events=0,
    )


def test_closed_and_open_rings_are_added_up_and_none_twice() -> None:
    accounts = RingAccounts()
    assert accounts.with_open([], ["w.a"]) == {}
    assert accounts.with_open([ring(1, 10, 5)], ["w.a"])["w.a"].committed == 10
    for _ in range(2):
        accounts.drained(Drained("engine", 4, "w.a", 1, 10, 9, 1, 3))
    expected = RingAccount(committed=110, applied=99, lost=2, redelivered=5, used_bytes=8, rings=1)
    assert accounts.with_open([ring(1, 10, 9), ring(2, 100, 90)], ["w.a", "x.a"]) == {"w.a": expected}
    assert accounts.with_open([], ["x.a"]) == {}
