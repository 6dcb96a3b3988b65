from __future__ import annotations

from foxtrot_workers.exchanges.coinbase.constants import BOOK_NAME, CHANNELS, LIMITS, OLD_BOOK_NAMES


def test_channels_have_wire_names_of_their_own() -> None:
    assert len(set(CHANNELS.values())) == len(CHANNELS)
    assert set(LIMITS.stale_channel_s) <= set(CHANNELS)
    assert BOOK_NAME not in OLD_BOOK_NAMES
