from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import (
    MarketEvent,
    Quote,
)
from foxtrot_workers.adapter import (
    UnrecognizedFrame,
)
from foxtrot_workers.exchanges.okx import routes
from foxtrot_workers.exchanges.okx.adapter import Okx
from tests.workers.exchanges.okx.subscribed import INSTRUMENT, Subscribed
from tests.workers.exchanges.samples import (
    OKX_SAMPLES,
    okx_book,
    okx_frame,
    okx_trade,
)


@pytest.mark.parametrize("sample", OKX_SAMPLES[:12], ids=lambda sample: sample.channel)
def test_key_order_white_space_and_further_keys_make_no_difference(sample: Any) -> None:
    def adapter() -> Okx:
        made = Okx()
        made.subscribe(made.topics([sample.channel], [sample.symbol]))
        return made

    def parse(made: Okx, frame: bytes) -> list[MarketEvent[str]]:
        out: list[MarketEvent[str]] = []
        made.parse(frame, 7, out)
        return out

    expected = parse(adapter(), sample.frame)
    message = msgspec.json.decode(sample.frame)
    more = {**message, "arg": {"instType": "SPOT", **message["arg"], "connId": "a}b"}}
    turned = dict(reversed(message.items()))
    for other in (more, turned, {**message, "arg": dict(reversed(message["arg"].items()))}):
        for frame in (msgspec.json.encode(other), msgspec.json.format(msgspec.json.encode(other), indent=2)):
            made = adapter()
            assert parse(made, frame) == expected
            assert parse(made, frame) == expected  # the second time by what was learned from the first
            adopting = Okx(adopt=True)
            assert parse(adopting, frame) == expected


def test_only_a_beginning_that_holds_the_whole_argument_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "SPELLINGS_MAX", 3)
    wire = Subscribed("trade", "quote")
    frame = okx_frame("trades", INSTRUMENT, [okx_trade()])
    for spaces in range(6):
        assert len(wire.parse(frame.replace(b'{"arg"', b"{" + b" " * spaces + b'"arg"'))) == 1
    # a brace inside a string ends the beginning too early: it must not be learned
    tricky = frame.replace(b'"channel"', b'"x":"}","channel"')
    assert len(wire.parse(tricky)) == 1
    assert len(wire.parse(okx_frame("bbo-tbt", INSTRUMENT, [okx_book()]))) == 1


def test_a_beginning_that_names_another_topic_is_not_learned() -> None:
    wire = Subscribed("quote")
    book = okx_frame("bbo-tbt", INSTRUMENT, [okx_book()])
    two_arguments = b'{"arg":{"channel":"trades","instId":"BTC-USDT"},' + book[1:]
    assert [type(event) for event in wire.parse(two_arguments)] == [Quote]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(okx_frame("trades", INSTRUMENT, [okx_trade()]))
