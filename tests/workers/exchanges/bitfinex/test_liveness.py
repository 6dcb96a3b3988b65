from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Topic
from foxtrot_workers.exchanges.bitfinex.liveness import liveness_request, liveness_token


def test_each_channel_asks_for_what_moves_with_it() -> None:
    paths = {
        "trade": "/v2/trades/tAVAX%3AUSD/hist?limit=1",
        "bar_1m": "/v2/trades/tAVAX%3AUSD/hist?limit=1",
        "book": "/v2/ticker/tAVAX%3AUSD",
        "ticker": "/v2/ticker/tAVAX%3AUSD",
        "funding": "",
    }
    for channel, path in paths.items():
        request = liveness_request(Topic(channel, "tAVAX:USD", ""))
        assert ("" if request is None else request.path) == path


def test_a_token_differs_if_there_is_news() -> None:
    assert liveness_token(b"[1.5,2,3]") == liveness_token(b"[1.5, 2, 3]")
    assert liveness_token(b"[1.5,2,3]") != liveness_token(b"[1.5,2,4]")
    for body in (b"[]", b'["error",10020,"symbol: invalid"]'):
        with pytest.raises(ValueError, match="refused"):
            liveness_token(body)
