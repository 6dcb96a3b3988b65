from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Limits
from foxtrot_workers.exchanges.binance import constants


def test_stale_limits_and_kinds_of_books_name_channels() -> None:
    channels = set(constants.STREAM_NAMES)
    assert set(constants.STALE_CHANNEL_S) <= channels
    assert channels >= constants.BOOK_CHANNELS


def test_a_channel_names_one_stream() -> None:
    assert len(set(constants.STREAM_NAMES.values())) == len(constants.STREAM_NAMES)


@pytest.mark.parametrize(
    ("limits", "rest", "histories"),
    [
        (constants.LIMITS, constants.SPOT_REST, [constants.TRADE_HISTORY, constants.AGG_TRADE_HISTORY]),
        (constants.LIMITS_FUTURES, constants.USDM_REST, [constants.FUTURES_AGG_TRADE_HISTORY]),
        (constants.LIMITS_FUTURES, constants.COINM_REST, [constants.FUTURES_AGG_TRADE_HISTORY]),
    ],
)
def test_one_request_never_spends_the_budget_of_a_period(
    limits: Limits, rest: constants.Rest, histories: list[tuple[str, str, int]]
) -> None:
    weights = [rest.depth_weight, rest.liveness_weight, rest.agg_trades_weight, limits.instruments_weight]
    weights += [weight for _, _, weight in histories]
    assert max(weights) * 10 < limits.rest_weight.limit


def test_stale_limits_and_public_channels_name_channels_of_futures() -> None:
    channels = set(constants.FUTURES_STREAM_NAMES)
    assert set(constants.LIMITS_FUTURES.stale_channel_s) <= channels
    assert channels > constants.PUBLIC_CHANNELS > constants.BOOK_CHANNELS
    assert len(set(constants.FUTURES_STREAM_NAMES.values())) == len(channels)
