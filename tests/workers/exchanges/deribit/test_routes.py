from __future__ import annotations

import msgspec

from foxtrot_workers.exchanges.deribit.adapter import Deribit
from foxtrot_workers.exchanges.deribit.routes import HEAD_CHARS, head_of
from tests.workers.exchanges.deribit.samples import INSTRUMENT, QUOTE, frame
from tests.workers.exchanges.driven import Driven


def test_a_frame_begins_with_its_topic() -> None:
    raw = frame("quote.BTC-PERPETUAL", QUOTE)
    assert raw[: raw.find(b'"', HEAD_CHARS)] == head_of("quote.BTC-PERPETUAL")


def test_white_space_and_another_key_order_reach_the_same_parser() -> None:
    wire = Driven(Deribit, ["quote"], [INSTRUMENT])
    raw = frame("quote.BTC-PERPETUAL", QUOTE)
    message = msgspec.json.decode(raw)
    reordered = msgspec.json.encode(dict(reversed(list(message.items()))))
    assert wire.parse(msgspec.json.format(raw)) == wire.parse(raw) == wire.parse(reordered)
