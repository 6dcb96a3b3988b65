"""A platform's flat setting becomes a configuration, or a list of its problems."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_supervisor.gateways.settings import DEFAULT_SETTING, SettingInvalid, connection_name, parse


def test_an_empty_setting_has_every_default() -> None:
    settings = parse({})
    assert settings == parse(DEFAULT_SETTING)
    assert (settings.exchange, settings.symbols, settings.redundancy, settings.backfill) == ("binance", [], 1, False)
    assert settings.document("x", ["book", "trade", "funding"]) == {
        "engine": {"ticks": "change", "tick_interval_s": 0.5},
        "connections": [
            {
                "name": "x",
                "exchange": "binance",
                "channels": ["trade", "book"],
                "symbols": [],
                "redundancy": 1,
                "backfill": False,
            }
        ],
    }


def test_values_of_a_dialog_or_a_file_are_converted() -> None:
    settings = parse(
        {
            "exchange": "okx",
            "symbols": "BTC-USDT, ETH-USDT",
            "channels": ["trade"],
            "redundancy": "2",
            "backfill": "Yes",
            "tick_interval_s": 1,
            "url": "ws://127.0.0.1:1",
            "proxy": None,
            "forward": "eMarketTrade. eGap.",
        }
    )
    assert (settings.symbols, settings.redundancy, settings.backfill) == (["BTC-USDT", "ETH-USDT"], 2, True)
    (connection,) = settings.document("y", [])["connections"]
    assert (connection["channels"], connection["url"]) == (["trade"], "ws://127.0.0.1:1")
    assert "proxy" not in connection
    assert settings.forward == ["eMarketTrade.", "eGap."]
    assert parse({"backfill": 1}).backfill is True
    assert parse({"backfill": "false"}).backfill is False


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"exchnage": "x"}, '"exchnage" is not a known key of the setting'),
        ({"exchange": 5}, '"exchange" must be a string, not 5'),
        ({"redundancy": "two"}, "\"redundancy\" must be a whole number, not 'two'"),
        ({"redundancy": True}, '"redundancy" must be a whole number, not True'),
        ({"tick_interval_s": [1]}, '"tick_interval_s" must be a number, not [1]'),
        ({"backfill": "perhaps"}, "\"backfill\" must be true or false, not 'perhaps'"),
        ({"backfill": 2}, '"backfill" must be true or false, not 2'),
        ({"symbols": 7}, '"symbols" must be names separated by commas, not 7'),
        ({"symbols": [7]}, '"symbols" must be names separated by commas, not [7]'),
        (
            {"config_file": "f.toml", "symbols": "X", "redundancy": 1},
            '"symbols" belongs in f.toml, the "config_file"',
        ),
    ],
)
def test_an_invalid_value_is_explained(setting: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingInvalid) as raised:
        parse(setting)
    assert str(raised.value) == reason


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(SettingInvalid) as raised:
        parse({"a": 1, "exchange": 5})
    assert len(str(raised.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("gateway", "connection"),
    [("FOXTROT", "foxtrot"), ("My Gateway_2", "my-gateway-2"), ("币安", "feed"), ("a" * 50, "a" * 40)],
)
def test_a_connection_is_named_after_its_gateway(gateway: str, connection: str) -> None:
    assert connection_name(gateway) == connection
