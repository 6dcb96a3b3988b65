from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.adapter import Topic
from foxtrot_workers.exchanges.bitstamp.liveness import liveness_request, liveness_token

TICKER = b'{"last":"%b","volume":"213.26","bid":"%b","ask":"2211.00","timestamp":"%b","open":"2211.00"}'


def test_trades_and_books_ask_for_the_ticker() -> None:
    for channel, path in (("trade", "/api/v2/ticker/btcusd/"), ("book100", "/api/v2/ticker/btcusd/"), ("funding", "")):
        request = liveness_request(Topic(channel, "btcusd", ""))
        assert ("" if request is None else request.path) == path


def test_a_token_differs_if_there_is_news() -> None:
    trade, book = Topic("trade", "btcusd", ""), Topic("book", "btcusd", "")
    one, later, moved = (TICKER % each for each in ((b"1", b"2", b"3"), (b"1", b"2", b"9"), (b"1", b"2.5", b"3")))
    assert liveness_token(trade, one) == liveness_token(trade, later) == liveness_token(trade, moved)
    assert liveness_token(book, one) != liveness_token(book, moved)
    assert liveness_token(trade, one) != liveness_token(trade, TICKER % (b"7", b"2", b"3"))
    with pytest.raises(msgspec.DecodeError):
        liveness_token(trade, b'{"error":"no"}')
