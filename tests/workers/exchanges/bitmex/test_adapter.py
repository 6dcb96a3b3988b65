from __future__ import annotations

import pytest

from foxtrot_workers.adapter import UnrecognizedFrame
from foxtrot_workers.adapter.catalog import describe
from foxtrot_workers.exchanges.bitmex.adapter import Bitmex
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.bitmex.samples import PARTIAL, SAMPLES, TRADE
from tests.workers.exchanges.driven import Driven


def test_it_conforms() -> None:
    check_adapter(Bitmex, SAMPLES)


def test_no_connection_can_be_configured() -> None:
    assert "closed on 23 September 2026" in describe("bitmex")["bitmex"]["error"]


@pytest.mark.parametrize(
    ("channels", "symbols", "reason"),
    [
        (["ticker"], ["XBTUSD"], "no channel"),
        (["book10", "book"], ["XBTUSD"], "only one"),
        (["trade"], ["XBT:USD"], "cannot be a symbol"),
    ],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Bitmex().topics(channels, symbols)


@pytest.mark.parametrize(
    "frame",
    ["{}", '{"table":"settlement","action":"partial","data":[]}', TRADE.replace("UNIUSDT", ""), '{"success":true}'],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(frame: str) -> None:
    with pytest.raises(UnrecognizedFrame):
        Driven(Bitmex, adopt=True).parse(frame)


@pytest.mark.parametrize("frame", [TRADE, PARTIAL])
def test_a_topic_that_was_not_subscribed_is_unrecognized(frame: str) -> None:
    with pytest.raises(UnrecognizedFrame, match=r"UNIUSDT|XRPU21"):
        Driven(Bitmex, ["trade"], ["XBTUSD"]).parse(frame)


def test_books_of_updates_are_subscribed_again_where_the_engine_was_replaced() -> None:
    adapter = Bitmex()
    topics = adapter.topics(["trade", "book", "quote"], ["XBTUSD"])
    assert adapter.resync(topics) == [topic for topic in topics if topic.channel == "book"]
