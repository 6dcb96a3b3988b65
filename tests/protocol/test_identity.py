"""The rules' text: read back as written; everything else is refused."""

from __future__ import annotations

from typing import get_args, get_origin

import pytest

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import EVENT_TYPES, FeedStatus, Gap, MarketEvent
from foxtrot_protocol.identity import DEFAULT_IDENTITIES, IDENTITY_RULES, pack_rules, parse_rules


def test_rules_come_back_as_they_were_written() -> None:
    assert parse_rules(pack_rules(DEFAULT_IDENTITIES)) == DEFAULT_IDENTITIES
    assert pack_rules({"eBook.": "chained", "eBbo.": "latest"}) == b"eBook.=chained eBbo.=latest"
    assert parse_rules(pack_rules({})) == {}


def test_every_market_event_has_a_default() -> None:
    kinds = {get_origin(kind) or kind for kind in get_args(MarketEvent)} - {FeedStatus, Gap}
    assert set(DEFAULT_IDENTITIES) == {EVENT_TYPES[kind] for kind in kinds}
    assert set(DEFAULT_IDENTITIES.values()) < IDENTITY_RULES


@pytest.mark.parametrize(
    "rules",
    [
        {"eBook.": "guess"},
        {"": "latest"},
        {"e Book": "latest"},
        {"e=": "latest"},
        {"\n": "latest"},
        {f"e{n}.": "increasing" for n in range(60)},
    ],
)
def test_impossible_rules_are_not_written(rules: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        pack_rules(rules)


@pytest.mark.parametrize("data", [b"\xff", b"eBook.", b"=latest", b"eBook.=guess", b"a=latest a=latest", b"a=latest "])
def test_other_text_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage, match="identity rules"):
        parse_rules(data)
