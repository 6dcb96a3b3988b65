from __future__ import annotations

import pytest

from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.crypto_com.adapter import CryptoCom


@pytest.mark.parametrize(
    ("channel", "path"),
    [
        ("trade", "/public/get-trades?instrument_name=BTC_USD&count=1"),
        ("bar_1m", "/public/get-trades?instrument_name=BTC_USD&count=1"),
        ("book", "/public/get-book?instrument_name=BTC_USD&depth=10"),
        ("funding", None),
    ],
)
def test_a_cheap_request_for_the_same_data(channel: str, path: str | None) -> None:
    adapter = CryptoCom()
    (topic,) = adapter.topics([channel], ["BTC_USD"])
    assert adapter.liveness_request(topic) == (None if path is None else RestRequest("liveness", path))


def test_an_answer_differs_with_the_data_and_not_with_its_time() -> None:
    adapter = CryptoCom()
    (topic,) = adapter.topics(["book"], ["BTC_USD"])
    body = b'{"code":0,"result":{"data":[{"bids":[["1","%d","1"]],"asks":[],"t":%d}]}}'
    assert adapter.liveness_token(topic, body % (1, 1)) == adapter.liveness_token(topic, body % (1, 2))
    assert adapter.liveness_token(topic, body % (1, 1)) != adapter.liveness_token(topic, body % (2, 1))
    for refusal in (b'{"code":10004}', b'{"code":0,"result":{"data":[]}}'):
        with pytest.raises(ValueError, match="code"):
            adapter.liveness_token(topic, refusal)
