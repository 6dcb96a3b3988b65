"""The event structs: the promises that other modules and other languages rely on."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from foxtrot_protocol import events
from foxtrot_protocol.events import EVENT_TYPES, MarketEvent, Trade, WorkerStatus

MARKET = [getattr(kind, "__origin__", kind) for kind in get_args(MarketEvent)]


@pytest.mark.parametrize("kind", MARKET, ids=lambda kind: kind.__name__)
def test_every_market_event_has_the_common_fields_in_their_places(kind: Any) -> None:
    names = [field.name for field in msgspec.structs.fields(kind)]
    assert names[:4] == ["exchange", "symbol", "exchange_ns", "receive_ns"]
    assert names[-3:] == ["publish_ns", "redelivered", "backfilled"]


@pytest.mark.parametrize("kind", [*MARKET, WorkerStatus], ids=lambda kind: kind.__name__)
def test_every_event_has_its_type_a_tag_of_its_own_and_cannot_be_changed(kind: Any) -> None:
    assert EVENT_TYPES[kind].startswith("e")
    config = kind.__struct_config__
    assert config.frozen
    assert config.array_like
    assert isinstance(config.tag, str)


def test_tags_are_unique() -> None:
    tags = [kind.__struct_config__.tag for kind in MARKET]
    assert len(set(tags)) == len(tags)


def test_a_trade_is_never_a_fill() -> None:
    assert EVENT_TYPES[Trade] == "eMarketTrade."
    assert "eTrade." not in EVENT_TYPES.values(), "vn.py's eTrade. stays the user's own fills"


def test_public_names_exist() -> None:
    assert all(hasattr(events, name) for name in events.__all__)
