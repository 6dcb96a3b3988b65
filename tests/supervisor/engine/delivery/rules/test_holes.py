"""Announced holes."""

from __future__ import annotations

from foxtrot_supervisor.engine.delivery.streams import HOLES_MAX
from tests.support.merge_world import A, Merge, trade, trades


def test_open_holes_are_bounded() -> None:
    alone = Merge(None, A)
    for number in range(0, 2 * HOLES_MAX + 4, 2):
        alone.take(A, trades(number))
    assert len(alone.merge.open_holes()) == HOLES_MAX
    alone.take(A, [trade(1, backfilled=True)])
    assert "1+" not in alone.seen, "given up"


def test_a_hole_that_is_decided_again_is_remembered_once() -> None:
    """An engine that died between writing the hole and the position: its successor decides the same again."""
    alone = Merge(None, A)
    alone.take(A, trades(5))
    alone.take(A, trades(9))
    (stream,) = (stream for stream in alone.merge._by_key.values())
    stream.last = 5
    alone.take(A, trades(9))
    assert len(alone.merge.open_holes()) == 1
