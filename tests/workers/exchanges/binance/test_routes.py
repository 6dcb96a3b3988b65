from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.adapter import (
    UnrecognizedFrame,
)
from tests.workers.exchanges.binance.subscribed import Subscribed
from tests.workers.exchanges.samples import (
    binance_agg_trade,
    binance_delta,
    binance_frame,
    binance_kline,
    binance_partial_book,
    binance_quote,
    binance_ticker,
    binance_trade,
)

FRAMES = [
    ("trade", binance_frame("bnbbtc@trade", binance_trade())),
    ("agg_trade", binance_frame("bnbbtc@aggTrade", binance_agg_trade())),
    ("quote", binance_frame("bnbbtc@bookTicker", binance_quote())),
    ("ticker", binance_frame("bnbbtc@ticker", binance_ticker())),
    ("bar_1M", binance_frame("bnbbtc@kline_1M", binance_kline("1M"))),
    ("book5", binance_frame("bnbbtc@depth5@100ms", binance_partial_book())),
]


@pytest.mark.parametrize(("channel", "frame"), FRAMES)
@pytest.mark.parametrize("adopt", [False, True])
def test_key_order_and_white_space_make_no_difference(channel: str, frame: bytes, adopt: bool) -> None:
    expected = Subscribed(channel).parse(frame)
    assert len(expected) == 1
    message = msgspec.json.decode(frame)
    turned = dict(reversed(message.items()))
    for other in (msgspec.json.format(frame, indent=2), msgspec.json.encode(turned), b" " + frame + b"\n"):
        wire = Subscribed(channel) if not adopt else Subscribed(adopt=True)
        assert wire.parse(other) == expected
        assert wire.parse(frame) == expected


@pytest.mark.parametrize(("channel", "frame"), FRAMES[:-1])
def test_a_raw_frame_is_routed_by_its_content(channel: str, frame: bytes) -> None:
    expected = Subscribed(channel).parse(frame)
    raw = msgspec.json.decode(frame)["data"]
    assert Subscribed(channel).parse(raw) == expected
    assert Subscribed(adopt=True).parse(raw) == expected
    with pytest.raises(UnrecognizedFrame):
        Subscribed("book").parse(raw)


def test_a_raw_quote_may_have_an_event_name() -> None:
    assert len(Subscribed("quote").parse(binance_quote(e="bookTicker"))) == 1


def test_a_raw_delta_belongs_to_the_update_speed_that_was_subscribed() -> None:
    wire = Subscribed("book", adopt=True)
    wire.parse(binance_delta(1, 1))
    slow = Subscribed(adopt=True)
    slow.parse(binance_frame("bnbbtc@depth", binance_delta(1, 1)))
    slow.parse(binance_delta(2, 2))
    assert len(slow.rest(binance_partial_book(0))) == 3


def test_a_raw_partial_book_gets_its_symbol_from_the_address() -> None:
    with pytest.raises(UnrecognizedFrame, match="without event name"):
        Subscribed(adopt=True).parse(binance_partial_book())
    wire = Subscribed(adopt=True, base="wss://stream.binance.com:9443/ws/bnbbtc@depth5")
    assert [event.symbol for event in wire.parse(binance_partial_book())] == ["BNBBTC"]
