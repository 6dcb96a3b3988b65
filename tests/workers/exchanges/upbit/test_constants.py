from __future__ import annotations

from foxtrot_workers.exchanges.upbit import constants


def test_tables_by_channel_name_channels() -> None:
    channels = set(constants.CHANNELS)
    assert set(constants.LIMITS.stale_channel_s) <= channels
    assert set(constants.BOOK_UNITS) <= channels


def test_the_keep_alive_comes_before_the_exchange_closes() -> None:
    assert constants.LIMITS.ping_interval_s is not None
    assert constants.LIMITS.ping_interval_s <= 120.0 / 2
    assert 0 < constants.LIMITS.ping_idle_s <= constants.LIMITS.silence_s / 2


def test_all_topics_fit_into_one_request() -> None:
    assert constants.LIMITS.topics_per_request >= constants.LIMITS.topics_max
