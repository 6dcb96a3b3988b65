from __future__ import annotations

from foxtrot_workers.exchanges.bybit import constants


def test_tables_by_channel_name_channels() -> None:
    channels = set(constants.TOPICS)
    assert set(constants.LIMITS.stale_channel_s) <= channels
    assert set(constants.LIVENESS_PATHS) == channels - {"liquidation"}
    assert channels == constants.SPOT_CHANNELS | constants.DERIVATIVE_CHANNELS


def test_a_full_connection_keeps_within_the_characters_of_its_topics() -> None:
    longest = max(len(f"{topic}.") for topic in constants.TOPICS.values())
    assert constants.LIMITS.topics_max * (longest + len("1000000BABYDOGE")) <= constants.ARGS_CHARS_MAX * 1.05


def test_a_ping_is_answered_within_the_silence_that_ends_a_connection() -> None:
    assert constants.LIMITS.silence_s > constants.LIMITS.ping_idle_s
