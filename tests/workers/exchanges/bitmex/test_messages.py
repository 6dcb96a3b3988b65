from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.bitmex import messages
from tests.workers.exchanges.bitmex.samples import PARTIAL, TRADE


def test_small_prices_keep_their_digits() -> None:
    (row,) = messages.decode_books(PARTIAL.replace("0.00010699", "2e-8").encode()).data
    assert row.price == "2e-8"


@pytest.mark.parametrize(
    ("old", "new"), [('"Buy"', '"Hold"'), ("2021-07-22T22:36:10.014Z", "yesterday"), ("insert", "x")]
)
def test_what_is_no_trade_is_refused(old: str, new: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        messages.decode_trades(TRADE.replace(old, new).encode())
