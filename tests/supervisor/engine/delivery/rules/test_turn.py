"""A batch that waits changes nothing."""

from __future__ import annotations

from tests.support.merge_world import A, B, Merge, trade, trades


def test_a_waiting_batch_changes_nothing() -> None:
    both = Merge()
    both.take(A, trades(5))
    held = [trade(6), trade(9, symbol="Y"), trade(8)]
    assert both.take(B, held) is None
    both.take(A, [trade(6), trade(7), trade(9, symbol="Y")])
    both.take(B, held)
    assert both.seen == ["5", "6", "7", "9", "8"]
