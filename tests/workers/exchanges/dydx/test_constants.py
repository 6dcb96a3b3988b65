from __future__ import annotations

from foxtrot_workers.exchanges.dydx import constants


def test_tables_by_channel_name_channels() -> None:
    channels = set(constants.CHANNELS)
    assert set(constants.LIMITS.stale_channel_s) <= channels
    assert set(constants.LIVENESS_PATHS) == channels
    assert channels >= constants.TRADE_CHANNELS | constants.MARKET_CHANNELS


def test_a_ping_of_the_exchange_comes_within_the_silence_that_ends_a_connection() -> None:
    assert constants.LIMITS.silence_s > 30.0
