"""The defaults are the exchange's documented numbers."""

from __future__ import annotations

from foxtrot_workers.simulator.venues.options import ExchangeLimits, PlaybackOptions


def test_the_rules_of_the_real_exchange() -> None:
    limits = ExchangeLimits()
    assert (limits.ping_interval_s, limits.pong_timeout_s) == (20.0, 60.0)
    assert (limits.messages_per_s, limits.streams_max) == (5, 1024)
    assert limits.lifetime_s == 86_400.0
    assert limits.attempts_window_s == 300.0


def test_a_recording_is_served_as_recorded() -> None:
    options = PlaybackOptions()
    assert (options.speed, options.at_end, options.send_all) == (1.0, "idle", False)
