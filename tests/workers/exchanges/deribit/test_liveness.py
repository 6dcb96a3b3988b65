from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Topic
from foxtrot_workers.exchanges.deribit.liveness import liveness_request, liveness_token


def test_each_channel_asks_for_what_moves_with_it() -> None:
    trades = "/api/v2/public/get_last_trades_by_instrument?instrument_name=BTC-PERPETUAL&count=1"
    book = "/api/v2/public/get_order_book?instrument_name=BTC-PERPETUAL&depth=1"
    for channel, path in (("trade", trades), ("bar_1m", trades), ("book", book), ("ticker", book), ("funding", book)):
        assert liveness_request(Topic(channel, "BTC-PERPETUAL", "")).path == path


def test_a_token_differs_if_there_is_news() -> None:
    def token(result: str) -> str:
        return liveness_token(b'{"jsonrpc":"2.0","result":%b,"usIn":1}' % result.encode())

    assert token('{"change_id":5,"timestamp":1}') == token('{"change_id":5,"timestamp":2}')
    assert token('{"change_id":5}') != token('{"change_id":6}')
    assert token('{"trades":[{"trade_id":"1"}]}') != token('{"trades":[{"trade_id":"2"}]}')


@pytest.mark.parametrize("body", [b'{"error":{"code":10028,"message":"too_many_requests"}}', b"{}"])
def test_a_refusal_has_no_token(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"10028|no result"):
        liveness_token(body)
