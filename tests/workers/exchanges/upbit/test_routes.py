from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.upbit.adapter import Upbit
from foxtrot_workers.exchanges.upbit.constants import CHANNELS
from foxtrot_workers.exchanges.upbit.routes import CODE_FROM, head_of, short_head_of
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.upbit.samples import SHORT_TRADE, TRADE


@pytest.mark.parametrize("kind", sorted(set(CHANNELS.values())))
@pytest.mark.parametrize("code", ["KRW-BTC", "K-B", "USDT-1000SATS"])
def test_a_frame_begins_with_type_and_code(kind: str, code: str) -> None:
    for head in (head_of(kind, code), short_head_of(kind, code)):
        frame = head + b'","timestamp":1}'
        assert frame[: frame.find(b'",', CODE_FROM)] == head


@pytest.mark.parametrize("frame", [TRADE, SHORT_TRADE])
def test_white_space_and_another_key_order_reach_the_same_parser(frame: bytes) -> None:
    wire = Driven(Upbit, ["trade"], ["KRW-DOGE", "KRW-LAMB"])
    reordered = msgspec.json.encode(dict(reversed(list(msgspec.json.decode(frame, strict=True).items()))))
    assert wire.parse(msgspec.json.format(frame)) == wire.parse(frame) == wire.parse(reordered)
    assert len(wire.adapter.last_data_ns) == 1


def test_a_code_may_come_with_its_number_of_units() -> None:
    wire = Driven(Upbit, ["trade"], ["KRW-DOGE"])
    assert wire.parse(TRADE.replace(b"KRW-DOGE", b"KRW-DOGE.5")) == wire.parse(TRADE)
