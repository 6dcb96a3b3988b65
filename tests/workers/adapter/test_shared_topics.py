"""Wire names of channels that one topic carries."""

from __future__ import annotations

from foxtrot_workers.adapter.shared_topics import SharedTopics, shared_wire, topic_of

TICKER, MARK, FUNDING = "ticker:X", "ticker:X#mark_price", "ticker:X#funding"


def test_a_wire_name_leads_to_its_topic() -> None:
    assert shared_wire("ticker:X", "funding") == FUNDING
    assert topic_of(FUNDING) == topic_of(TICKER) == "ticker:X"


def test_a_topic_is_requested_once_for_all_its_channels() -> None:
    shared = SharedTopics()
    assert shared.subscribe([TICKER, MARK, "trade:X"]) == ["ticker:X", "trade:X"]
    assert shared.subscribe([FUNDING]) == ["ticker:X"], "a repeated request must reach the exchange"
    assert shared.wires("ticker:X") == (TICKER, MARK, FUNDING)
    assert shared.channels("ticker:X") == {"", "mark_price", "funding"}


def test_a_topic_stays_while_another_channel_needs_it() -> None:
    shared = SharedTopics()
    shared.subscribe([TICKER, MARK, FUNDING])
    assert shared.unsubscribe([MARK]) == ([], [MARK])
    assert shared.wires("ticker:X") == (TICKER, FUNDING)
    assert shared.unsubscribe([TICKER, FUNDING, TICKER]) == (["ticker:X"], [])
    assert shared.wires("ticker:X") == (TICKER, FUNDING), "until the exchange has acknowledged it"
    assert shared.remove("ticker:X") == (TICKER, FUNDING)
    assert shared.wires("ticker:X") == ()
    assert shared.remove("ticker:X") == ()


def test_an_unknown_topic_is_unsubscribed_as_told() -> None:
    assert SharedTopics().unsubscribe(["trade:X"]) == (["trade:X"], [])
