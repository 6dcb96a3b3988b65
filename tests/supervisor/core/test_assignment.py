"""An assignment holds until its stop has to begin, so that nothing is left at its end."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.core.assignment import Validity


def test_the_stop_begins_before_the_end_and_sigkill_leaves_time_for_the_ends_of_processes() -> None:
    validity = Validity(104.0, 1.0)
    assert validity.holds(102.9)
    assert not validity.holds(103.0)
    assert (validity.stop_at, validity.kill_at) == pytest.approx((103.0, 103.75))


def test_without_time_for_the_stop_everything_is_due_at_the_end() -> None:
    validity = Validity(104.0, 0.0)
    assert validity.holds(103.9)
    assert validity.stop_at == validity.kill_at == 104.0
