from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Topic
from foxtrot_workers.exchanges.huobi.adapter import Huobi
from foxtrot_workers.exchanges.huobi.liveness import liveness_token
from foxtrot_workers.exchanges.huobi.variants import HuobiSwap


def _path(adapter: Huobi, channel: str, symbol: str) -> str:
    request = adapter.liveness_request(Topic(channel, symbol, ""))
    return "" if request is None else request.path


def test_each_channel_asks_for_what_moves_with_it() -> None:
    spot, swap = Huobi(), HuobiSwap()
    assert _path(spot, "trade", "btcusdt") == "/market/trade?symbol=btcusdt"
    assert _path(spot, "bar_1m", "btcusdt") == "/market/trade?symbol=btcusdt"
    assert _path(spot, "book", "btcusdt") == "/market/depth?type=step0&depth=5&symbol=btcusdt"
    assert _path(swap, "quote", "BTC-USD") == "/swap-ex/market/depth?type=step0&contract_code=BTC-USD"
    assert _path(swap, "trade", "BTC-USDT") == "/linear-swap-ex/market/trade?contract_code=BTC-USDT"
    assert _path(swap, "funding", "BTC-USDT") == ""


def test_a_token_differs_if_there_is_news() -> None:
    def token(tick: str) -> str:
        return liveness_token(b'{"status":"ok","ts":1,"tick":%b}' % tick.encode())

    book = '{"id":1645289384,"ts":%d,"bids":[[1,2],[0.5,1]],"asks":[[1.5,%d]]}'
    assert token('{"id":5,"ts":1,"data":[]}') == token('{"id":5,"ts":2,"data":[]}')
    assert token('{"id":5}') != token('{"id":6}')
    assert token(book % (1, 3)) == token(book % (2, 3))
    assert token(book % (1, 3)) != token(book % (1, 4))


@pytest.mark.parametrize("body", [b'{"status":"error","err-msg":"invalid symbol"}', b'{"status":"ok"}', b"{}"])
def test_a_refusal_has_no_token(body: bytes) -> None:
    with pytest.raises(ValueError, match=":"):
        liveness_token(body)
