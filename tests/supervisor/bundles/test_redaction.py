from __future__ import annotations

import pytest

from foxtrot_supervisor.bundles.redaction import public, public_text


def test_what_looks_secret_is_hidden_and_all_else_stays() -> None:
    document = {
        "metrics": {"token_file": "/etc/token", "listen": "127.0.0.1:9"},
        "sinks": [{"password": "p", "api_key": "k", "count": 3, "credentials_file": "c", "names": ["a", "b"]}],
        "tokens": ["one", "two"],
        "proxy": "http://user:hunter2@proxy:3128/x",
        "secret": "",
    }
    assert public(document) == {
        "metrics": {"token_file": "/etc/token", "listen": "127.0.0.1:9"},
        "sinks": [{"password": "***", "api_key": "***", "count": 3, "credentials_file": "c", "names": ["a", "b"]}],
        "tokens": ["***", "***"],
        "proxy": "http://***@proxy:3128/x",
        "secret": "",
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot connect to wss://u:p@h/ws?x=1", "cannot connect to wss://***@h/ws?x=1"),
        ("wss://h/ws?listenKey=abc&stream=btcusdt", "wss://h/ws?listenKey=***&stream=btcusdt"),
        ("an address user@host and a=b", "an address user@host and a=b"),
    ],
)
def test_text(text: str, shown: str) -> None:
    assert public_text(text) == shown
