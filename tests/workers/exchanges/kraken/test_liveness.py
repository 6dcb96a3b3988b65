from __future__ import annotations

import pytest

from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.kraken.adapter import Kraken
from tests.workers.exchanges.kraken.samples import PAIR


@pytest.mark.parametrize(
    ("channel", "path"),
    [
        ("trade", "/0/public/Trades?pair=BTC%2FUSD&count=1"),
        ("bar_1m", "/0/public/Trades?pair=BTC%2FUSD&count=1"),
        ("ticker", "/0/public/Trades?pair=BTC%2FUSD&count=1"),
        ("quote", "/0/public/Depth?pair=BTC%2FUSD&count=1"),
        ("book25", "/0/public/Depth?pair=BTC%2FUSD&count=10"),
    ],
)
def test_a_cheap_request_for_the_same_data(channel: str, path: str) -> None:
    adapter = Kraken()
    (topic,) = adapter.topics([channel], [PAIR])
    assert adapter.liveness_request(topic) == RestRequest("liveness", path)


def test_an_answer_differs_with_the_data() -> None:
    adapter = Kraken()
    (topic,) = adapter.topics(["trade"], [PAIR])
    body = b'{"error":[],"result":{"XXBTZUSD":[["1","2",3.5,"b","m","",%d]],"last":"5"}}'
    assert adapter.liveness_token(topic, body % 1) != adapter.liveness_token(topic, body % 2)
    for refusal in (b'{"error":["EQuery:Unknown asset pair"]}', b'{"error":[]}'):
        with pytest.raises(ValueError, match="refused"):
            adapter.liveness_token(topic, refusal)
