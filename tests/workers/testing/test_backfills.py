"""Past trades of every adapter, and each fault in them: test_conformance. Here: the checks by themselves."""

from __future__ import annotations

import random

import pytest

from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.testing.backfills import check_backfill, check_backfill_samples
from foxtrot_workers.testing.samples import BackfillSample, NotConforming
from tests.workers.exchanges.samples import BINANCE_BACKFILLS, BINANCE_SAMPLES


def test_a_page_of_past_trades_fills_the_gap() -> None:
    check_backfill_samples(Binance, BINANCE_SAMPLES, BINANCE_BACKFILLS)
    for sample in BINANCE_BACKFILLS:
        check_backfill(Binance, sample, random.Random(1))


def test_a_page_without_the_trades_is_found() -> None:
    first = BINANCE_BACKFILLS[0]
    empty = BackfillSample(first.channel, first.symbol, first.first_id, first.last_id, b"[]")
    with pytest.raises(NotConforming, match="no past trades"):
        check_backfill(Binance, empty, random.Random(1))
    with pytest.raises(NotConforming, match="no BackfillSample"):
        check_backfill_samples(Binance, BINANCE_SAMPLES, [])
