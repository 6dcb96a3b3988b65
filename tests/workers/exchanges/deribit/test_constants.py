from __future__ import annotations

from foxtrot_workers.exchanges.deribit import constants


def test_tables_by_channel_name_channels() -> None:
    channels = set(constants.CHANNELS)
    assert set(constants.LIMITS.stale_channel_s) <= channels
    assert channels >= constants.STREAM_BOOK_CHANNELS | constants.PARTIAL_BOOK_CHANNELS | constants.SHARED_CHANNELS


def test_topics_of_their_own_have_one_name_on_the_wire() -> None:
    own = [wire for channel, wire in constants.CHANNELS.items() if channel not in constants.SHARED_CHANNELS]
    assert len(set(own)) == len(own)
    shared = {constants.CHANNELS[channel] for channel in constants.SHARED_CHANNELS}
    assert shared <= set(own)


def test_two_heartbeats_fit_into_the_silence_that_ends_a_connection() -> None:
    assert constants.LIMITS.silence_s > 2 * constants.HEARTBEAT_S
