from __future__ import annotations

from foxtrot_workers.exchanges.huobi import constants


def test_tables_by_channel_name_channels() -> None:
    spot, swap = set(constants.SPOT_CHANNELS), set(constants.SWAP_CHANNELS)
    assert set(constants.LIMITS.stale_channel_s) <= spot | swap
    assert spot >= constants.MBP_CHANNELS | constants.SPOT_PARTIAL_BOOK_CHANNELS
    assert swap >= constants.SWAP_CHAINED_BOOK_CHANNELS | constants.SWAP_PARTIAL_BOOK_CHANNELS
    assert swap >= constants.NOTIFICATION_CHANNELS | constants.INDEX_CHANNELS


def test_a_channel_has_one_name_on_the_wire() -> None:
    for channels in (constants.SPOT_CHANNELS, constants.SWAP_CHANNELS):
        assert len(set(channels.values())) == len(channels)


def test_two_pings_fit_into_the_silence_that_ends_a_connection() -> None:
    assert constants.LIMITS.silence_s > 2 * 5.0
