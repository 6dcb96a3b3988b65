from __future__ import annotations

from foxtrot_workers.exchanges.bitstamp import constants


def test_tables_by_channel_name_channels() -> None:
    channels = set(constants.CHANNELS)
    assert set(constants.LIMITS.stale_channel_s) <= channels
    assert channels >= constants.BOOK_CHANNELS


def test_no_channel_begins_like_another() -> None:
    names = list(constants.CHANNELS.values())
    assert not [(a, b) for a in names for b in names if a != b and a.startswith(b)]


def test_the_keep_alive_leaves_time_for_the_answer() -> None:
    assert 0 < constants.LIMITS.ping_idle_s <= constants.LIMITS.silence_s / 2
