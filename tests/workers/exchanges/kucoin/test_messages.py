from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.kucoin import messages


def test_whole_numbers_may_be_text_and_other_numbers_keep_their_digits() -> None:
    book = messages.decode_rest_book(b'{"code":"200000","data":{"sequence":"7","bids":[[0.10,1]],"asks":[[9E-7,2.0]]}}')
    assert book.data is not None
    assert book.data.sequence == 7
    assert book.data.bids == [("0.10", 1)]
    assert book.data.asks == [("9E-7", "2.0")]


@pytest.mark.parametrize(
    "data",
    [
        '{"side":"buy","price":"1","size":"1","time":"9223372036854775808","tradeId":"1"}',
        '{"side":"buy","price":"1","size":"1","time":-1,"tradeId":"1"}',
        '{"side":"hold","price":"1","size":"1","time":1,"tradeId":"1"}',
        '{"side":"buy","price":1,"size":"1","time":1,"tradeId":"1"}',
    ],
)
def test_what_cannot_be_sent_is_refused(data: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        messages.decode_match(b'{"data":%b}' % data.encode())


def test_huge_identifiers_stay_text() -> None:
    identifier = "9" * 30
    frame = b'{"data":{"side":"buy","price":"1","size":"1","time":1,"tradeId":"%b"}}' % identifier.encode()
    assert messages.decode_match(frame).data.trade_id == identifier
