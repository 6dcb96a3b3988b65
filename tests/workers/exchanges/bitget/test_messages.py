from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.bitget import messages
from tests.workers.exchanges.bitget.samples import OLD_CANDLE, TRADE, U_BOOK


def test_numbers_may_be_text_and_identifiers_have_64_bits() -> None:
    (row,) = messages.decode_unified_books(U_BOOK.encode()).data
    assert (row.previous, row.seq, row.time) == (0, 1343064377779269632, 1755937421270)


def test_rows_may_have_more_columns_than_are_read() -> None:
    (row,) = messages.decode_candles(OLD_CANDLE.replace('"8587.44"', '"8587.44", "1", "2"').encode()).data
    assert row.volume == "8587.44"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"1235670816495050754"', '"x"'),
        ('"1235670816495050754"', '"9223372036854775808"'),
        ('"1730332800983"', '"9223372036854"'),
        ('"buy"', '"hold"'),
        ('"1.717"', "1.717"),
        ('"update"', '"delete"'),
    ],
)
def test_what_cannot_be_sent_is_refused(old: str, new: str) -> None:
    frame = TRADE.replace(old, new)
    if new == '"9223372036854"':
        assert messages.decode_trades(frame.encode()).data, "the last possible time"
        frame = TRADE.replace(old, '"9223372036855"')
    with pytest.raises(msgspec.ValidationError):
        messages.decode_trades(frame.encode())
