from __future__ import annotations

from foxtrot_workers.exchanges.okx import constants


def test_tables_by_channel_name_channels() -> None:
    channels = set(constants.CHANNELS)
    assert set(constants.STALE_CHANNEL_S) <= channels
    assert set(constants.LIVENESS_PATHS) <= channels
    assert channels >= constants.BOOK_CHANNELS | constants.BUSINESS_CHANNELS


def test_a_channel_has_one_name_on_the_wire() -> None:
    assert len(set(constants.CHANNELS.values())) == len(constants.CHANNELS)


def test_a_code_has_one_meaning() -> None:
    assert not constants.NEVER_CODES & constants.NOW_CODES
    assert not constants.CLOSE_CODES & (constants.NEVER_CODES | constants.NOW_CODES)


def test_the_keep_alive_leaves_time_for_the_answer() -> None:
    assert 0 < constants.LIMITS.ping_idle_s <= constants.LIMITS.silence_s / 2
