from __future__ import annotations

from foxtrot_workers.simulator.venues.token_bucket import TokenBucket


def test_a_burst_is_allowed_and_grows_again_evenly() -> None:
    bucket = TokenBucket(4, 8.0)
    assert [bucket.take(100.0) for _ in range(5)] == [True, True, True, True, False]
    assert not bucket.take(101.9)
    assert bucket.take(102.1)
    assert not bucket.take(102.2)
    assert [bucket.take(1_000.0) for _ in range(5)] == [True, True, True, True, False]


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(1, 1.0)
    assert bucket.take(10.0)
    assert not bucket.take(1.0)
