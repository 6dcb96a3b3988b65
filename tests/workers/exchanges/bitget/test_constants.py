from __future__ import annotations

import msgspec

from foxtrot_workers.exchanges.bitget import constants
from foxtrot_workers.exchanges.bitget.messages import Arg, FeedRequest


def test_tables_by_channel_name_channels() -> None:
    spot, futures = set(constants.SPOT_CHANNELS), set(constants.FUTURES_CHANNELS)
    assert set(constants.LIMITS.stale_channel_s) <= spot
    assert set(constants.LIMITS_FUTURES.stale_channel_s) <= futures
    assert spot >= constants.BOOK_CHANNELS > constants.PARTIAL_BOOK_CHANNELS
    assert futures >= constants.SHARED_CHANNELS | constants.UNIFIED_CHANNELS | constants.V2_CHANNELS


def test_a_request_has_at_most_4096_bytes() -> None:
    longest = Arg("USDT-FUTURES", "candle15m", "X" * constants.SYMBOL_CHARS_MAX)
    request = FeedRequest("unsubscribe", [longest] * constants.REQUEST_ARGS_MAX)
    assert len(msgspec.json.encode(request)) <= 4096 + 30 * 20, "symbols have up to 20 characters"
    usual = Arg("USDT-FUTURES", "candle15m", "1000000MOGUSDT")
    assert len(msgspec.json.encode(FeedRequest("unsubscribe", [usual] * constants.REQUEST_ARGS_MAX))) <= 4096
