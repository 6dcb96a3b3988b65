from __future__ import annotations

import gzip

import msgspec
import pytest

from foxtrot_workers.adapter import SendText, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.huobi import adapter as huobi
from foxtrot_workers.exchanges.huobi.adapter import Huobi
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.huobi.samples import SPOT_BACKFILLS, SPOT_SAMPLES, TRADE


def test_it_conforms() -> None:
    check_adapter(Huobi, SPOT_SAMPLES, backfills=SPOT_BACKFILLS)


def test_wire_names_of_topics_are_lower_case() -> None:
    assert Huobi().topics(["trade", "quote"], ["BTCUSDT", "btcusdt"]) == [
        Topic("trade", "btcusdt", "market.btcusdt.trade.detail"),
        Topic("quote", "btcusdt", "market.btcusdt.bbo"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols"),
    [
        (["nope"], ["btcusdt"]),
        (["book5", "book20"], ["btcusdt"]),
        (["book", "trade"], ["btcusdt"]),
        (["trade"], ["btc.usdt"]),
        (["trade"], [""]),
    ],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str]) -> None:
    with pytest.raises(ValueError, match=r"channel|only one|different addresses|cannot be a symbol"):
        Huobi().topics(channels, symbols)


@pytest.mark.parametrize(
    ("channel", "base", "address"),
    [
        ("trade", Huobi.url, "wss://api.huobi.pro/ws"),
        ("book", Huobi.url, "wss://api.huobi.pro/feed"),
        ("book5", "wss://api-aws.huobi.pro", "wss://api-aws.huobi.pro/ws"),
        ("book", "ws://proxy/htx", "ws://proxy/htx"),
    ],
)
def test_increments_are_served_at_another_path(channel: str, base: str, address: str) -> None:
    adapter = Huobi()
    adapter.topics([channel], ["btcusdt"])
    assert adapter.address(base) == address


def test_pings_are_answered_with_their_number() -> None:
    wire = Driven(Huobi)
    wire.parse(gzip.compress(b'{"ping": 1618678073643}'))
    assert wire.take_notices() == [SendText('{"pong":1618678073643}')]
    wire.parse({"op": "ping", "ts": "1618678073643"})
    assert wire.take_notices() == [SendText('{"op":"pong","ts":"1618678073643"}')]


@pytest.mark.parametrize(
    "frame",
    [{}, {"ch": "market.btcusdt.status"}, {"ch": "x"}, {"op": "auth"}, {"op": "notify", "topic": "x"}, {"rep": "x"}],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(frame: dict[str, str]) -> None:
    with pytest.raises(UnrecognizedFrame):
        Driven(Huobi, adopt=True).parse(frame)


def test_a_topic_that_was_not_subscribed_is_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame, match="trioeth"):
        Driven(Huobi, ["trade"], ["btcusdt"]).parse(TRADE)


def test_another_key_order_reaches_the_same_parser() -> None:
    wire = Driven(Huobi, ["trade"], ["trioeth"])
    reordered = msgspec.json.encode(dict(reversed(list(msgspec.json.decode(TRADE).items()))))
    assert wire.parse(reordered.replace(b"9.2e-7", b"9.2E-7")) == wire.parse(TRADE)


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huobi, "ADOPTED_MAX", 1)
    wire = Driven(Huobi, adopt=True)
    wire.parse(TRADE)
    with pytest.raises(UnrecognizedFrame):
        wire.parse(TRADE.replace("trioeth", "btcusdt"))


def test_an_unsubscribed_topic_is_forgotten() -> None:
    wire = Driven(Huobi, ["book"], ["btcusdt"])
    wire.parse({"ch": "market.btcusdt.mbp.150", "ts": 1, "tick": {"seqNum": 2, "prevSeqNum": 1}})
    wire.adapter.unsubscribe(wire.topics)
    wire.parse({"id": "2", "status": "ok", "unsubbed": "market.btcusdt.mbp.150"})
    assert wire.adapter.held_ns == {}
    with pytest.raises(UnrecognizedFrame):
        wire.parse({"ch": "market.btcusdt.mbp.150", "ts": 1, "tick": {"seqNum": 2, "prevSeqNum": 1}})


def test_the_rule_for_books_depends_on_the_channel() -> None:
    assert Huobi().identity_rules(["book"])["eBook."] == "chained"
    assert Huobi().identity_rules(["book20"])["eBook."] == "latest"
