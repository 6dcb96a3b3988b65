from __future__ import annotations

from foxtrot_workers.exchanges.binance import constants


def test_stale_limits_and_kinds_of_books_name_channels() -> None:
    channels = set(constants.STREAM_NAMES)
    assert set(constants.STALE_CHANNEL_S) <= channels
    assert channels >= constants.BOOK_CHANNELS


def test_a_channel_names_one_stream() -> None:
    assert len(set(constants.STREAM_NAMES.values())) == len(constants.STREAM_NAMES)


def test_one_request_never_spends_the_budget_of_a_period() -> None:
    weights = [constants.DEPTH_WEIGHT, constants.LIVENESS_DEPTH_WEIGHT, constants.LIMITS.instruments_weight]
    weights += [weight for _, _, weight in (constants.TRADE_HISTORY, constants.AGG_TRADE_HISTORY)]
    assert max(weights) * 10 < constants.LIMITS.rest_weight.limit
