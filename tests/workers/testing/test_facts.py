"""Facts of the exchanges are complete, and each defect is found."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from foxtrot_workers.adapter import Adapter, BookFacts, Budget, Limits, VenueFacts
from foxtrot_workers.adapter.catalog import adapter_class, names
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.constants import FACTS, LIMITS
from foxtrot_workers.testing.facts import facts_defects


def venue(facts: VenueFacts | None, limits: Limits = LIMITS) -> type[Adapter]:
    class Venue(Binance):
        pass

    Venue.facts = facts
    Venue.limits = limits
    return Venue


@pytest.mark.parametrize("name", names())
def test_the_facts_of_every_exchange_are_complete(name: str) -> None:
    assert facts_defects(adapter_class(name)) == []


def test_every_exchange_of_this_package_states_its_facts() -> None:
    without = [name for name in names() if adapter_class(name).facts is None]
    assert without == ["sim"]


@pytest.mark.parametrize(
    ("changes", "defect"),
    [
        ({"title": ""}, "facts.title is empty"),
        ({"keep_alive": ""}, "facts.keep_alive is empty"),
        ({"books": {}}, "facts.books has [], the book channels are ['book', 'book10', 'book20', 'book5']"),
        (
            {"books": {**FACTS.books, "book": BookFacts(snapshot="stream")}},
            "facts.books['book'] has neither order nor checksum: nothing tells that an update is missing",
        ),
        ({"backfill": {"trades": "x"}}, "facts.backfill names 'trades', which is no channel"),
        ({"remarks": {"funding": "x"}}, "facts.remarks names 'funding', which is no channel"),
        ({"absent": {"bar": "x"}}, "facts.absent names 'bar', which is a channel"),
        ({"absent": {"trade": "x"}}, "facts.absent names 'trade', which is a channel"),
        ({"testnet_url": ""}, "facts.testnet_rest_url stands without testnet_url"),
        ({"sources": {**FACTS.sources, "closes": ""}}, "facts.sources lacks 'closes'"),
        ({"sources": {**FACTS.sources, "connects": ""}}, "facts.sources lacks 'connects'"),
        ({"endpoints": ("wss://other",)}, "facts.sources lacks 'endpoints'"),
        ({"messages": Budget(1, 1.0)}, "limits.send_interval_s allows 3 messages in 1 s, the exchange 1"),
    ],
)
def test_a_defect_is_found(changes: dict[str, Any], defect: str) -> None:
    assert defect in facts_defects(venue(structs.replace(FACTS, **changes)))


def test_an_adapter_need_not_state_facts() -> None:
    assert facts_defects(venue(None)) == []


def test_messages_that_are_not_spaced_may_be_few_enough() -> None:
    facts = structs.replace(FACTS, messages=Budget(12, 3600.0))
    limits = structs.replace(LIMITS, send_interval_s=0.0)
    assert facts_defects(venue(facts, limits)) == []
    few = structs.replace(facts, messages=Budget(11, 3600.0))
    assert facts_defects(venue(few, limits)) == ["limits.send_interval_s allows 12 messages in 3600 s, the exchange 11"]


def test_a_venue_without_a_documented_number_of_messages_is_not_checked() -> None:
    sources = {field: source for field, source in FACTS.sources.items() if field != "messages"}
    assert facts_defects(venue(structs.replace(FACTS, messages=Budget(), sources=sources))) == []
