from __future__ import annotations

from foxtrot_workers.exchanges.crypto_com.constants import BOOK_CHANNELS, CHANNELS, INTERVALS, LIMITS, OPEN_INTEREST


def test_channels_have_topics() -> None:
    assert set(CHANNELS) >= BOOK_CHANNELS | {OPEN_INTEREST}
    assert set(LIMITS.stale_channel_s) <= set(CHANNELS)
    assert len(INTERVALS) == 13
