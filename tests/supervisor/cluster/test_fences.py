"""Lanes of former holders are fenced where the stream stood, and not before."""

from __future__ import annotations

from typing import Any

from foxtrot_supervisor.cluster.fences import FENCE_DELAY_S, Fences, epoch_of
from foxtrot_supervisor.cluster.model import Holder, Previous
from foxtrot_supervisor.cluster.names import EPOCH_STEP


def holder(epoch: int, **given: Any) -> Holder:
    return Holder(
        **{
            "token": epoch, "epoch": epoch, "node": "n", "instance": "i", "host": "h", "addresses": [],
            "connection": "btc", "side": "a", "part": "a0", "state": "serving", "ack": "", **given,
        }
    )  # fmt: skip


def covered(fences: Fences, epoch: int, position: int, now: float, side: str = "a1.a") -> bool:
    return fences.covers("btc", side, epoch * EPOCH_STEP + 3, position, now)


def test_a_take_over_fences_lower_epochs_of_that_shard_at_that_position() -> None:
    fences = Fences()
    fences.add(holder(7), 100, 10.0)
    late = 10.0 + FENCE_DELAY_S
    assert covered(fences, 6, 100, late)
    assert not covered(fences, 6, 99, late), "older parcels have not been read yet"
    assert not covered(fences, 6, 100, 10.0), "what was on its way may still arrive"
    assert not covered(fences, 7, 100, late)
    assert not covered(fences, 6, 100, late, side="b0.a"), "the twin"
    assert not fences.covers("eth", "a0.a", 6 * EPOCH_STEP, 100, late)


def test_during_a_hand_over_both_serve() -> None:
    fences = Fences()
    coming = holder(7, previous=Previous("m", 6, "a1"))
    assert not fences.is_news(coming)
    fences.add(coming, 100, 0.0)
    assert not covered(fences, 6, 1000, 100.0)
    fences.add(holder(7), 120, 5.0)
    assert covered(fences, 6, 120, 100.0)


def test_a_holder_that_has_stopped_is_fenced_itself_and_the_same_entry_again_is_no_news() -> None:
    fences = Fences()
    fences.add(holder(7), 100, 0.0)
    assert not fences.is_news(holder(7))
    gone = holder(7, state="gone")
    assert fences.is_news(gone)
    fences.add(gone, 150, 0.0)
    assert covered(fences, 7, 150, 100.0)
    fences.add(holder(6), 170, 0.0)  # an older entry, read late
    assert covered(fences, 7, 150, 100.0)


def test_workers_that_no_cluster_has_placed_have_no_epoch() -> None:
    assert epoch_of(17) == 0
    assert epoch_of(5 * EPOCH_STEP + 17) == 5
