from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_workers.exchanges.coinbase_advanced.messages import decode_books, decode_trades, sent_name
from tests.workers.exchanges.coinbase_advanced.samples import snapshot, trade, trades


@pytest.mark.parametrize(
    "changes",
    [{"side": "UP"}, {"trade_id": "9" * 31}, {"price": 1.5}, {"time": "now"}],
)
def test_wrong_types_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_trades(msgspec.json.encode(trades(1, trade(**changes))))


def test_a_message_has_a_sequence() -> None:
    message = snapshot()
    assert decode_books(msgspec.json.encode(message)).sequence == 0
    del message["sequence_num"]
    with pytest.raises(msgspec.ValidationError):
        decode_books(msgspec.json.encode(message))


def test_data_of_usdc_products_have_another_name() -> None:
    assert [sent_name(product) for product in ("BTC-USDC", "BTC-USD", "USDC-EUR")] == ["BTC-USD", "BTC-USD", "USDC-EUR"]
