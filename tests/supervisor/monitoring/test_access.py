"""Who may read the metrics."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.monitoring.access import Access, hosts_of

TOKEN = "0123456789abcdef0123456789abcdef"
HOSTS = frozenset({"localhost:1"})


@pytest.mark.parametrize(
    ("host", "port", "served"),
    [
        ("127.0.0.1", 9464, {"127.0.0.1:9464", "localhost:9464", "[::1]:9464"}),
        ("localhost", 9464, {"127.0.0.1:9464", "localhost:9464", "[::1]:9464"}),
        ("::1", 9464, {"127.0.0.1:9464", "localhost:9464", "[::1]:9464"}),
        ("10.0.0.5", 9464, {"10.0.0.5:9464"}),
        ("Metrics.Lan", 80, {"metrics.lan:80", "metrics.lan"}),
    ],
)
def test_hosts(host: str, port: int, served: set[str]) -> None:
    assert hosts_of(host, port) == served


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_that_stands_for_all_has_no_names(host: str) -> None:
    assert hosts_of(host, 1) is None
    assert Access(None, TOKEN).refuse("GET", "anything", f"Bearer {TOKEN}") is None


@pytest.mark.parametrize("host", ["evil.example:1", "localhost", "localhost:2", "", "localhost:1.evil", "\x00"])
def test_other_hosts_are_refused(host: str) -> None:
    refusal = Access(HOSTS, None).refuse("GET", host, "")
    assert refusal is not None
    assert refusal.status == 403


@pytest.mark.parametrize("host", ["localhost:1", "LOCALHOST:1"])
def test_the_own_host_is_served(host: str) -> None:
    assert Access(HOSTS, None).refuse("GET", host, "") is None
    assert Access(HOSTS, None).refuse("HEAD", host, "") is None


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer \udcff",
        "é",
    ],
)
def test_a_wrong_token_is_refused(sent: str) -> None:
    refusal = Access(HOSTS, TOKEN).refuse("GET", "localhost:1", sent)
    assert refusal is not None
    assert refusal.status == 401
    assert TOKEN not in refusal.reason


@pytest.mark.parametrize("sent", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_the_token_is_accepted(sent: str) -> None:
    assert Access(HOSTS, TOKEN).refuse("GET", "localhost:1", sent) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "CONNECT", "get", ""])
def test_other_methods_are_refused(method: str) -> None:
    refusal = Access(HOSTS, None).refuse(method, "localhost:1", "")
    assert refusal is not None
    assert refusal.status == 405
