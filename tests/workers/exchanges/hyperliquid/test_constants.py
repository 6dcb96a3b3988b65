from __future__ import annotations

from foxtrot_workers.exchanges.hyperliquid import constants


def test_tables_by_channel_name_channels() -> None:
    channels = set(constants.CHANNELS)
    assert set(constants.LIMITS.stale_channel_s) <= channels
    assert channels >= constants.CONTEXT_CHANNELS | constants.BOOK_CHANNELS


def test_two_pings_fit_into_the_time_after_which_the_exchange_closes() -> None:
    assert 2 * constants.LIMITS.ping_idle_s < 60
    assert constants.LIMITS.silence_s > 2 * constants.LIMITS.ping_idle_s
