from __future__ import annotations

from foxtrot_workers.exchanges.kraken_futures.constants import FEEDS, LIMITS, SHARED_CHANNELS


def test_shared_channels_are_carried_by_a_feed_with_a_channel_of_its_own() -> None:
    own = {FEEDS[channel] for channel in set(FEEDS) - SHARED_CHANNELS}
    assert {FEEDS[channel] for channel in SHARED_CHANNELS} <= own
    assert set(LIMITS.stale_channel_s) <= set(FEEDS)
