"""Checks of single values: which pass, and the reasons of those that do not. Whole documents: test_check."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from foxtrot_supervisor.config.values import (
    absence,
    closest,
    expected,
    fits,
    found,
    handler_reason,
    key_text,
    offered,
    proxy_reason,
    repeated,
    rest_url_beside,
    short,
    symbol_reason,
    url_reasons,
)

VALUES: list[Any] = [True, {}, [], "x", 1.5]


@pytest.mark.parametrize(
    ("hint", "value", "good"),
    [
        (float, 1, True),
        (float, True, False),
        (int, 1.0, False),
        (int, 7, True),
        (bool, True, True),
        (str, 3, False),
        (list[str], ["a"], True),
        (list[str], ["a", 1], False),
        (Literal["a", "b"], "a", True),
        (Literal["a", "b"], "c", False),
        (Literal["a", "b"], ["a"], False),
    ],
)
def test_types(hint: Any, value: object, good: bool) -> None:
    assert fits(hint, value) is good


def test_types_and_values_in_words() -> None:
    hints: list[Any] = [str, bool, int, float, list[str], Literal["a", "b"]]
    assert [expected(hint) for hint in hints] == [
        "text",
        "true or false",
        "a whole number",
        "a number",
        "a list of texts",
        'one of "a", "b"',
    ]
    assert [found(value) for value in VALUES] == ["true", "a table", "a list", 'the text "x"', "1.5"]


def test_long_texts_are_shortened() -> None:
    assert short("x" * 60) == "x" * 60
    assert short("x" * 61) == "x" * 57 + "..."


def test_the_closest_word_is_suggested() -> None:
    assert closest("helo_s", ["hello_s", "ready_s"]) == '; did you mean "hello_s"?'
    assert closest("zzz", ["hello_s"]) == ""


def test_repeated_values() -> None:
    assert repeated(["b", "a", "b", "a", "c"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("url", "reasons"),
    [
        ("wss://host/ws", []),
        ("http://host", ["must begin with ws:// or wss://"]),
        ("ws://", ["names no host"]),
        ("ws://user:word@host", ["must not hold a user or password: this file must not contain secrets"]),
        ("ws://host?listenKey=1", ['must not hold the parameter "listenKey": this file must not contain secrets']),
    ],
)
def test_addresses(url: str, reasons: list[str]) -> None:
    assert url_reasons(url, ("ws", "wss")) == reasons
    assert len(url_reasons("ws://host:99999999", ("ws",))) == 1


def test_a_proxy_has_no_path() -> None:
    assert proxy_reason("http://host:1/") is None
    assert proxy_reason("http://host:1/path") == "must end after the port: a proxy has no path, query or fragment"
    assert proxy_reason("http://[") is None


def test_a_simulator_has_its_rest_address_beside_its_websocket() -> None:
    assert rest_url_beside("ws://127.0.0.1:9001/ws", "binance", "", "") == {"rest_url": "http://127.0.0.1:9001"}
    assert rest_url_beside("wss://elsewhere/ws", "sim", "", "") == {"rest_url": "https://elsewhere"}
    assert rest_url_beside("wss://elsewhere/ws", "binance", "", "") == {}
    assert rest_url_beside("ws://[", "sim", "", "") == {}


def test_a_test_network_has_its_own_rest_address() -> None:
    testnet = ("wss://testnet.example/public", "https://rest.testnet.example")
    for url in ("wss://testnet.example", "wss://testnet.example:443/other?x=1", "wss://TESTNET.example"):
        assert rest_url_beside(url, "binance", *testnet) == {"rest_url": "https://rest.testnet.example"}
    assert rest_url_beside("wss://other.example", "binance", *testnet) == {}
    assert rest_url_beside("wss://testnet.example", "binance", testnet[0], "") == {}
    assert rest_url_beside("ws:///path", "binance", "", "https://rest.testnet.example") == {}


def test_the_reason_of_an_absent_channel() -> None:
    absent = {"funding": "a spot market", "bar": "fold them from trades", "bar_1s": "from 1 m on"}
    assert absence("funding", absent) == ": a spot market"
    assert absence("bar_1m", absent) == ": fold them from trades"
    assert absence("bar_1s", absent) == ": from 1 m on"
    assert absence("trade", absent) == ""


def test_offered_channels_show_all_bars_as_one() -> None:
    assert offered(["trade", "bar_1m", "bar_1h"]) == "bar_1h, bar_1m, trade"
    assert offered(["trade", "book", "bar_1m", "bar_1h", "bar_1d"]) == (
        "book, trade, bar_INTERVAL with INTERVAL 1d, 1h, 1m"
    )


def test_handlers_and_symbols() -> None:
    assert handler_reason("a.b:c") is None
    assert handler_reason("a.b") == 'must be "module:function", not "a.b"'
    assert symbol_reason("BTCUSDT") is None
    assert symbol_reason("") == "is empty"
    assert symbol_reason("x" * 65) == "has more than 64 characters"
    assert symbol_reason("a b") == "holds a space or a control character: 'a b'"


def test_keys_with_dots_are_quoted() -> None:
    assert (key_text("a-b_1"), key_text("a.b")) == ("a-b_1", '"a.b"')
