"""What an exchange says about itself: nothing, unless its adapter says how to ask."""

from __future__ import annotations

from tests.workers.feed.life import Plain


def test_an_exchange_that_is_not_asked() -> None:
    assert Plain().system_time() is None
    assert Plain().system_status() is None
