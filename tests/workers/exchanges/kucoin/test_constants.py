from __future__ import annotations

from foxtrot_protocol.bar_intervals import INTERVALS as KNOWN
from foxtrot_workers.exchanges.kucoin import constants


def test_tables_by_channel_name_channels() -> None:
    spot, futures = set(constants.SPOT_TOPICS), set(constants.FUTURES_TOPICS)
    unified = {constants.UNIFIED_CHANNEL}
    assert set(constants.LIMITS.stale_channel_s) <= spot | unified
    assert set(constants.LIMITS_FUTURES.stale_channel_s) <= futures | unified
    assert spot | unified >= constants.BOOK_CHANNELS > constants.PARTIAL_BOOK_CHANNELS
    assert futures >= constants.SHARED_CHANNELS


def test_a_channel_has_one_topic_unless_it_is_shared() -> None:
    for topics in (constants.SPOT_TOPICS, constants.FUTURES_TOPICS):
        own = [topic for channel, topic in topics.items() if channel not in constants.SHARED_CHANNELS]
        assert len(set(own)) == len(own)


def test_intervals_are_named_as_elsewhere() -> None:
    assert set(KNOWN) & set(constants.INTERVALS) == set(KNOWN) - {"1s"}
