"""The class of an event, and its policy for a full queue."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from foxtrot_supervisor.engine.bus.queue_policy import POLICIES, conflation_key, event_class, policies_with, policy_of


@dataclass
class Data:
    symbol: str
    exchange: str = "BINANCE"


@dataclass
class VnpyTick:
    vt_symbol: str


@pytest.mark.parametrize(
    ("type_", "expected"),
    [("eTick.BTCUSDT.BINANCE", "eTick."), ("eTick.", "eTick."), ("eTimer", "eTimer"), ("a.b.c", "a."), (".x", ".")],
)
def test_the_class_ends_with_the_first_dot(type_: str, expected: str) -> None:
    assert event_class(type_) == expected


@pytest.mark.parametrize(
    ("type_", "policy"),
    [
        ("eTick.BTCUSDT.BINANCE", "conflate"),
        ("eBbo.", "conflate"),
        ("eOrder.42", "never_drop"),
        ("eTrade.", "never_drop"),
        ("eQuote.", "never_drop"),
        ("eLog", "never_drop"),
        ("eTimer", "never_drop"),
        ("eGap.", "never_drop"),
        ("eMarketTrade.", "block"),
        ("eBook.", "block"),
        ("mine", "block"),
    ],
)
def test_defaults(type_: str, policy: str) -> None:
    assert policy_of(POLICIES, type_) == policy


def test_an_exact_type_goes_before_its_class() -> None:
    policies = policies_with(block=["eTick."], never_drop=["eTick.BTCUSDT.SIM", "mine"], conflate=["eMy."])
    assert policy_of(policies, "eTick.ETHUSDT.SIM") == "block"
    assert policy_of(policies, "eTick.BTCUSDT.SIM") == "never_drop"
    assert policy_of(policies, "mine") == "never_drop"
    assert policy_of(policies, "eMy.x") == "conflate"
    assert policy_of(policies, "eOrder.") == "never_drop", "what is not named stays as it was"


def test_two_policies_for_one_class_are_an_error() -> None:
    with pytest.raises(ValueError, match=r'"eMy\." has two policies: block and conflate'):
        policies_with(block=["eMy."], conflate=["eMy."])


def test_events_of_one_type_and_symbol_share_a_key() -> None:
    assert conflation_key("eTick.", Data("A")) == conflation_key("eTick.", Data("A"))
    keys = {
        conflation_key("eTick.", Data("A")),
        conflation_key("eTick.", Data("B")),
        conflation_key("eTick.", Data("A", "OKX")),
        conflation_key("eTick.A.BINANCE", Data("A")),
        conflation_key("eTick.", VnpyTick("A.BINANCE")),
    }
    assert len(keys) == 5
    assert conflation_key("eTick.", 17) is None
    assert conflation_key("eTick.", None) is None
