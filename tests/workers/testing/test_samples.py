from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.testing.samples import (
    AdapterSample,
    NotConforming,
    feed_anything,
    feed_before,
    require,
    short,
    subscribed,
    topic_of,
)
from tests.workers.exchanges.samples import BINANCE_SAMPLES

SAMPLE = BINANCE_SAMPLES[0]


def test_a_subscribed_adapter_takes_the_sample() -> None:
    adapter = subscribed(Binance, SAMPLE)
    assert topic_of(adapter, SAMPLE).channel == SAMPLE.channel
    assert len(feed_anything(adapter, SAMPLE.frame)) == 1
    assert feed_anything(Binance(), SAMPLE.frame) == []


def test_a_frame_before_the_sample_makes_no_events() -> None:
    sample = AdapterSample("trade", "BNBBTC", SAMPLE.frame, before=(SAMPLE.frame,))
    with pytest.raises(NotConforming, match="before the sample"):
        feed_before(subscribed(Binance, SAMPLE), sample)


def test_a_broken_rule_is_named_and_frames_are_shown_shortened() -> None:
    require(True, "never said")
    with pytest.raises(NotConforming, match="said"):
        require(False, "said")
    assert len(short(b"x" * 1_000)) < 210
