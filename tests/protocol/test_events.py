"""What all events have in common, on which routing, stamping and other languages rely."""

from __future__ import annotations

from typing import Any, get_args, get_origin

import msgspec
import pytest

from foxtrot_protocol import events
from foxtrot_protocol.events import ENGINE_MADE, EVENT_TYPES, MarketEvent

MARKET = [kind for kind in EVENT_TYPES if kind not in ENGINE_MADE]


@pytest.mark.parametrize("kind", MARKET)
def test_a_market_event_begins_and_ends_like_the_others(kind: Any) -> None:
    fields = kind.__struct_fields__
    assert fields[:4] == ("exchange", "symbol", "exchange_ns", "receive_ns")
    later = ("count",) if kind is events.Trade else ()  # added since: readers accept more than they know
    assert fields[-3 - len(later) :] == ("publish_ns", "redelivered", "backfilled", *later)
    assert kind.__struct_defaults__[-3 - len(later) :] == (0, False, False, *(1 for _ in later))


@pytest.mark.parametrize("kind", list(EVENT_TYPES))
def test_an_event_is_a_frozen_array_with_a_tag(kind: Any) -> None:
    config = kind.__struct_config__
    assert config.frozen
    assert config.array_like
    assert isinstance(config.tag, str)


def test_tags_are_unlike() -> None:
    tags = [kind.__struct_config__.tag for kind in EVENT_TYPES]  # type: ignore[attr-defined]  # msgspec Structs
    assert len(set(tags)) == len(tags)


def test_every_market_event_can_stand_in_a_batch() -> None:
    members = {get_origin(member) or member for member in get_args(MarketEvent)}
    assert members == set(MARKET)


def test_event_types_are_named_as_vn_py_names_its_own() -> None:
    names = {name: value for name, value in vars(events).items() if name.startswith("EVENT_") and name != "EVENT_TYPES"}
    assert all(value.startswith("e") for value in names.values())
    assert all(value.endswith(".") for value in EVENT_TYPES.values())
    assert set(EVENT_TYPES.values()) <= set(names.values())
    # vn.py's own name for the user's fills: public trades must never go there
    assert "eTrade." not in names.values()


def test_an_event_cannot_be_changed() -> None:
    trade = events.Trade("X", "S", 1, 2, 1.0, 1.0, "buy", "1")
    with pytest.raises(AttributeError):
        trade.price = 2.0  # type: ignore[misc]  # the point of this test
    assert msgspec.structs.replace(trade, price=2.0) != trade
