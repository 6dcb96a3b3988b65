from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.crypto_com.messages import decode_book, decode_trades
from tests.workers.exchanges.crypto_com.samples import SPOT, frame, old_frame, trade, whole


def test_bare_numbers_keep_their_digits() -> None:
    row = '{"d":2006341810221954784,"s":"BUY","p":56504.250,"q":5e-7,"t":1637630445448,"i":"BTC_USDT"}'
    (decoded,) = decode_trades(old_frame(f"trade.{SPOT}", row)).result.data
    assert (decoded.trade_id, decoded.price, decoded.size) == (2006341810221954784, "56504.250", "5e-7")


@pytest.mark.parametrize("changes", [{"s": "UP"}, {"t": -1}, {"t": "1"}, {"t": 2**63}])
def test_wrong_types_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_trades(msgspec.json.encode(frame("trade.A_B", {**trade(), **changes})))


def test_a_book_frame_says_whether_it_is_whole() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_book(msgspec.json.encode(frame(f"book.{SPOT}.50", whole(), channel="book.other")))
