"""A batch that waits changes nothing."""

from __future__ import annotations

from foxtrot_supervisor.engine.delivery.rules.turn import Turn
from foxtrot_supervisor.engine.delivery.waiting import OpenSides
from tests.support.merge_world import A, B, Merge, trade, trades


def test_a_waiting_batch_changes_nothing() -> None:
    both = Merge()
    both.take(A, trades(5))
    held = [trade(6), trade(9, symbol="Y"), trade(8)]
    assert both.take(B, held) is None
    both.take(A, [trade(6), trade(7), trade(9, symbol="Y")])
    both.take(B, held)
    assert both.seen == ["5", "6", "7", "9", "8"]


def test_an_event_that_has_a_mark_already_keeps_it_when_its_batch_waits() -> None:
    turn = Turn(OpenSides(), deliver_updates=False)
    late, fresh = trade(5, backfilled=True), trade(6)
    turn.mark(late, "backfilled")
    turn.mark(fresh, "backfilled")
    assert (late.backfilled, fresh.backfilled) == (True, True)
    turn.undo()
    assert (late.backfilled, fresh.backfilled) == (True, False)
