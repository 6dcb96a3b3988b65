from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Topic
from foxtrot_workers.exchanges.upbit.liveness import liveness_request, liveness_token

TRADE, BOOK = Topic("trade", "KRW-BTC", ""), Topic("book5", "KRW-BTC", "")


def test_each_channel_asks_for_what_moves_with_it() -> None:
    assert liveness_request(TRADE).path == "/v1/trades/ticks?market=KRW-BTC&count=1"
    assert liveness_request(Topic("bar_1m", "KRW-BTC", "")).path == liveness_request(TRADE).path
    assert liveness_request(BOOK).path == "/v1/orderbook?markets=KRW-BTC"


def test_a_token_differs_if_there_is_news() -> None:
    assert liveness_token(TRADE, b'[{"sequential_id":5,"timestamp":1}]') == "5"
    book = b'[{"market":"KRW-BTC","timestamp":%d,"orderbook_units":[{"ask_price":1.5,"ask_size":%d}]}]'
    assert liveness_token(BOOK, book % (1, 2)) == liveness_token(BOOK, book % (9, 2))
    assert liveness_token(BOOK, book % (1, 2)) != liveness_token(BOOK, book % (1, 3))


@pytest.mark.parametrize("topic", [TRADE, BOOK])
def test_an_empty_answer_has_no_token(topic: Topic) -> None:
    with pytest.raises(ValueError, match="no "):
        liveness_token(topic, b"[]")
