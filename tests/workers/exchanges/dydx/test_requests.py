from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.adapter import Acknowledged, Notice, Refused
from foxtrot_workers.exchanges.dydx.adapter import Dydx
from foxtrot_workers.exchanges.dydx.requests import retry_of, topic_name
from tests.workers.exchanges.driven import Driven


def test_one_request_for_each_topic() -> None:
    wire = Driven(Dydx, ["trade", "liquidation", "funding", "bar_1m"], ["BTC-USD"])
    assert [msgspec.json.decode(text) for text in wire.requests] == [
        {"type": "subscribe", "channel": "v4_trades", "id": "BTC-USD"},
        {"type": "subscribe", "channel": "v4_markets"},
        {"type": "subscribe", "channel": "v4_candles", "id": "BTC-USD/1MIN"},
    ]
    (text,) = wire.adapter.unsubscribe([wire.topics[3]])
    assert msgspec.json.decode(text) == {"type": "unsubscribe", "channel": "v4_candles", "id": "BTC-USD/1MIN"}


def error(text: str) -> list[Notice]:
    wire = Driven(Dydx, ["trade", "liquidation"], ["BTC-USD"])
    wire.parse({"type": "error", "message": text, "connection_id": "c", "message_id": 1})
    return wire.take_notices()


WIRES = ("v4_trades:BTC-USD", "v4_trades:BTC-USD#liquidation")


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (
            "Invalid subscription id for channel: (v4_trades-BTC-USD)",
            Refused(WIRES, "Invalid subscription id for channel: (v4_trades-BTC-USD)", "never"),
        ),
        (
            "Too many subscribe attempts for channel v4_trades-BTC-USD. Please reconnect and try again.",
            Refused(
                WIRES,
                "Too many subscribe attempts for channel v4_trades-BTC-USD. Please reconnect and try again.",
                "later",
            ),
        ),
        (
            "Invalid subscription: channel 'invalid_channel' not found",
            Refused((), "Invalid subscription: channel 'invalid_channel' not found", "never", exact=False),
        ),
        ("Invalid subscribe message: already subscribed (v4_trades-BTC-USD)", Acknowledged(WIRES)),
        ("Internal error", Refused((), "Internal error", "later", exact=False)),
    ],
)
def test_an_error_may_name_its_topic(text: str, refused: Notice) -> None:
    assert error(text) == [refused]


@pytest.mark.parametrize(("text", "retry"), [("Invalid x", "never"), ("Too many", "later"), ("", "later")])
def test_the_text_of_a_refusal_says_whether_to_try_again(text: str, retry: str) -> None:
    assert retry_of(text) == retry


def test_markets_have_no_id() -> None:
    assert topic_name("v4_markets", "v4_markets") == topic_name("v4_markets", "") == "v4_markets"
