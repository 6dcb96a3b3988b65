from __future__ import annotations

from foxtrot_supervisor.engine.replay.clock import RecordedClock


def test_it_never_goes_back() -> None:
    clock = RecordedClock()
    assert clock.now_ns() == 0
    clock.advance(2_500_000_000)
    clock.advance(1)
    assert (clock.now_ns(), clock.now_s) == (2_500_000_000, 2.5)
