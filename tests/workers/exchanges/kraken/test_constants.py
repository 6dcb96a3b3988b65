from __future__ import annotations

from foxtrot_workers.exchanges.kraken.constants import (
    BOOK_DEPTHS,
    CHANNELS,
    CHECKSUM_LEVELS,
    HISTORY_TRADES,
    INTERVALS,
    LIMITS,
)


def test_every_depth_covers_a_checksum() -> None:
    assert min(BOOK_DEPTHS.values()) >= CHECKSUM_LEVELS
    assert sorted(BOOK_DEPTHS.values()) == [10, 25, 100, 500, 1000]


def test_intervals_are_named_by_their_minutes() -> None:
    units = {"m": 1, "h": 60, "d": 1440, "w": 10080}
    assert all(int(name[:-1]) * units[name[-1]] == minutes for name, minutes in INTERVALS.items())


def test_channels_have_wire_names_of_their_own() -> None:
    assert len(set(CHANNELS.values())) == len(CHANNELS)
    assert set(LIMITS.stale_channel_s) <= set(CHANNELS)
    assert HISTORY_TRADES == 1000
