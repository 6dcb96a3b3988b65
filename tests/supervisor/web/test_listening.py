"""Where the view listens: loopback freely, elsewhere only protected."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from foxtrot_supervisor.web.access import digest
from foxtrot_supervisor.web.listening import (
    Address,
    ListenRefused,
    Protection,
    bind,
    parse_address,
    policy_for,
    tls_context,
    url_of,
)

LOCAL = Address("127.0.0.1", 8737)
OUTER = Address("192.0.2.7", 8737)
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8737", LOCAL),
        ("localhost:1", Address("127.0.0.1", 1)),
        ("[::1]:0", Address("::1", 0)),
        ("0.0.0.0:80", Address("0.0.0.0", 80)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8737",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "a.example:1",
        "1.2.3.4:65536",
        ":1",
        "1.2.3.4:-1",
        "1.2.3.4:²",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ListenRefused, match="--listen"):
        parse_address(text)


def test_loopback_needs_nothing() -> None:
    policy = policy_for(LOCAL, Protection())
    assert policy.hosts == {"127.0.0.1:8737", "localhost:8737"}
    assert (policy.scheme, policy.token, policy.token_to_read) == ("http", None, False)
    assert url_of(LOCAL, policy) == "http://127.0.0.1:8737/"
    assert url_of(Address("::1", 5), policy_for(Address("::1", 5), Protection())) == "http://[::1]:5/"


def test_reading_may_need_the_token_on_loopback_too() -> None:
    policy = policy_for(LOCAL, Protection(token=TOKEN, token_to_read=True, hosts=("view.example",)))
    assert policy.token_to_read
    assert policy.token == digest(TOKEN)
    assert "view.example:8737" in policy.hosts
    with pytest.raises(ListenRefused, match="--token-file"):
        policy_for(LOCAL, Protection(token_to_read=True))


@pytest.mark.parametrize(
    ("address", "protection", "reason"),
    [
        (OUTER, Protection(), "--token-file"),
        (OUTER, Protection(insecure=True), "--token-file"),
        (OUTER, Protection(with_tls=True), "--token-file"),
        (OUTER, Protection(token=TOKEN), "--insecure"),
        (Address("0.0.0.0", 1), Protection(token=TOKEN, with_tls=True), "--host"),
        (Address("::", 1), Protection(token=TOKEN, with_tls=True), "--host"),
    ],
)
def test_other_machines_need_token_and_tls(address: Address, protection: Protection, reason: str) -> None:
    with pytest.raises(ListenRefused, match=reason):
        policy_for(address, protection)


def test_for_other_machines_reading_needs_the_token() -> None:
    policy = policy_for(OUTER, Protection(token=TOKEN, with_tls=True))
    assert (policy.scheme, policy.token_to_read, policy.hosts) == ("https", True, {"192.0.2.7:8737"})
    assert policy_for(OUTER, Protection(token=TOKEN, insecure=True)).scheme == "http"
    wildcard = policy_for(Address("0.0.0.0", 1), Protection(token=TOKEN, with_tls=True, hosts=("a.example",)))
    assert wildcard.hosts == {"a.example:1"}


def test_a_port_that_is_taken_is_an_error() -> None:
    listening, address = bind(Address("127.0.0.1", 0))
    with listening:
        assert address.port != 0
        with socket.create_connection((address.host, address.port)), pytest.raises(ListenRefused, match="in use"):
            bind(address)


def test_tls_needs_both_files(tmp_path: Path) -> None:
    assert tls_context(None, None) is None
    with pytest.raises(ListenRefused, match="belong together"):
        tls_context("cert", None)
    with pytest.raises(ListenRefused, match="cert"):
        tls_context(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    (tmp_path / "cert.pem").write_text("none")
    with pytest.raises(ListenRefused, match="cert"):
        tls_context(str(tmp_path / "cert.pem"), str(tmp_path / "cert.pem"))
