"""Addresses of stores."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.sinks.stores.address import StoreAddress, parse_address

SCHEMES = {"redis": False, "rediss": True, "unix": False}


@pytest.mark.parametrize(
    ("text", "address", "is_local"),
    [
        ("redis://127.0.0.1", StoreAddress("127.0.0.1", 6379, False, ""), True),
        ("redis://localhost:1/3", StoreAddress("localhost", 1, False, "3"), True),
        ("redis://[::1]:1", StoreAddress("::1", 1, False, ""), True),
        ("rediss://store.example:7000/0", StoreAddress("store.example", 7000, True, "0"), False),
        ("redis://10.0.0.5", StoreAddress("10.0.0.5", 6379, False, ""), False),
        ("redis://127.0.0.1.example", StoreAddress("127.0.0.1.example", 6379, False, ""), False),
        ("unix:///run/a%20b.sock", StoreAddress("/run/a b.sock", 0, False, ""), True),
    ],
)
def test_addresses(text: str, address: StoreAddress, is_local: bool) -> None:
    assert parse_address(text, SCHEMES, 6379) == address
    assert address.is_local is is_local


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "redis:// or rediss://"),
        ("http://a", "redis:// or rediss://"),
        ("redis://", "no host"),
        ("redis://a:0", "port 0"),
        ("redis://a:99999", "not a URL"),
        ("redis://a:x", "not a URL"),
        ("redis://[::1", "not a URL"),
        ("redis://u:S3CRET@a", "password_file"),
        ("redis://:S3CRET@a", "password_file"),
        ("redis://u@a", "password_file"),
        ("redis://a?password=S3CRET", "only a scheme"),
        ("redis://a#x", "only a scheme"),
        ("redis://a b", "only a scheme"),
        ("unix://run/x", "socket file"),
        ("unix:///", "socket file"),
    ],
)
def test_what_is_no_address(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as raised:
        parse_address(text, SCHEMES, 6379)
    assert "S3CRET" not in str(raised.value)
