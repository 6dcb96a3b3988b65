from __future__ import annotations

from foxtrot_workers.exchanges.gemini.constants import CHANNELS, LIMITS, PING_ID, QUOTES


def test_longer_currencies_are_found_before_their_endings() -> None:
    for number, quote in enumerate(QUOTES):
        assert not any(quote.endswith(earlier) for earlier in QUOTES[:number])


def test_pings_have_an_id_of_their_own() -> None:
    assert f'"id":"{PING_ID}"' in (LIMITS.ping_text or "")
    assert set(LIMITS.stale_channel_s) <= set(CHANNELS)
