from __future__ import annotations

from foxtrot_workers.exchanges.coinbase_advanced.constants import BAR_INTERVAL, CHANNELS, HEARTBEATS, LIMITS


def test_channels_have_wire_names_of_their_own() -> None:
    assert len({*CHANNELS.values(), HEARTBEATS}) == len(CHANNELS) + 1
    assert set(LIMITS.stale_channel_s) <= set(CHANNELS)
    assert f"bar_{BAR_INTERVAL}" in CHANNELS
