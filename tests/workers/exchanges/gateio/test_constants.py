from __future__ import annotations

from foxtrot_workers.exchanges.gateio import constants, parsers


def test_tables_by_channel_name_channels() -> None:
    spot, futures = set(constants.SPOT_CHANNELS), set(constants.FUTURES_CHANNELS)
    assert set(constants.LIMITS.stale_channel_s) <= spot
    assert set(constants.LIMITS_FUTURES.stale_channel_s) <= futures
    assert spot >= constants.BOOK_CHANNELS
    assert futures >= constants.SHARED_CHANNELS | set(constants.BOOK_LEVELS)


def test_each_channel_has_a_parser() -> None:
    assert set(constants.SPOT_CHANNELS.values()) == set(parsers.SPOT_FACTORIES)
    assert set(constants.FUTURES_CHANNELS.values()) == set(parsers.FUTURES_FACTORIES)
    assert set(parsers.SPOT_FACTORIES) >= constants.SINGLE_CHANNELS
