from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.gateio import messages


def test_a_time_in_milliseconds_wins_over_seconds() -> None:
    assert messages.decode_candles(b'{"time":7,"time_ms":7123,"result":[]}').time_ns == 7_123_000_000
    assert messages.decode_candles(b'{"time":7,"time_ms":0,"result":[]}').time_ns == 7_000_000_000


def test_trades_come_alone_or_in_a_list() -> None:
    row = '{"id":1,"side":"buy","currency_pair":"A_B","amount":"1","price":"2","create_time_ms":"3"}'
    alone = messages.decode_spot_trades(f'{{"result":{row}}}'.encode()).result
    assert messages.decode_spot_trades(f'{{"result":[{row}]}}'.encode()).result == [alone]


@pytest.mark.parametrize(
    "frame",
    [
        '{"result":{"u":-1,"s":"A_B"}}',
        '{"result":{"u":9223372036854775808,"s":"A_B"}}',
        '{"result":{"u":1,"s":"A_B","t":9223372036854775}}',
        '{"result":{"u":1}}',
        '{"result":null}',
    ],
)
def test_what_cannot_be_sent_is_refused(frame: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        messages.decode_book_ticker(frame.encode())
