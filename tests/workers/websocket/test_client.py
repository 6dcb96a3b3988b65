"""What is common to both clients: Retry-After, refusals, TLS, loading by name."""

from __future__ import annotations

import ssl

import pytest

from foxtrot_workers.websocket.client import (
    CLIENTS,
    RETRY_AFTER_MAX_S,
    ClientOptions,
    handshake_failure,
    make_client,
    refusal,
    retry_after_s,
    tls_context,
)

NOW_S = 1_700_000_000.0


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("5", 5.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("99999999999", RETRY_AFTER_MAX_S),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("9" * 10_000, RETRY_AFTER_MAX_S),
    ],
)
def test_retry_after(header: str | None, expected: float | None) -> None:
    assert retry_after_s(header, NOW_S) == expected


@pytest.mark.parametrize(("status", "refused"), [(429, True), (418, True), (403, True), (500, False), (404, False)])
def test_a_status_means_a_refusal_or_a_failure(status: int, refused: bool) -> None:
    failure = refusal(status, "3", NOW_S)
    assert (failure.refused, failure.retry_after_s) == (refused, 3.0)
    assert str(status) in failure.cause


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"", None),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", None),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not answered by HTTP, but by: SSH-2.0-OpenSSH_9.2"),
        (b"HTTP/1.1 403 Forbidden\r\nServer: x", "HTTP 403"),
        (b"HTTP/2 429 \r\nRETRY-AFTER: 3\r\n\r\n", "HTTP 429, Retry-After 3 s"),
        (b"HTTP/1.1 500 Oops\r\n\r\n\x00\xff\r\n a", "HTTP 500: \N{REPLACEMENT CHARACTER} a"),
    ],
)
def test_the_status_of_a_malformed_answer_to_the_handshake_is_found(answer: bytes, cause: str | None) -> None:
    failure = handshake_failure(answer, NOW_S)
    assert (failure is None) == (cause is None)
    if failure is not None and cause is not None:
        assert failure.cause.endswith(cause)


def test_tls_always_verifies() -> None:
    context = tls_context(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("name", CLIENTS)
async def test_clients_are_created_by_name_and_can_be_closed_unconnected(name: str) -> None:
    options = ClientOptions(url="ws://127.0.0.1:1", connect_s=1.0, frame_bytes_max=1000, compression=False)
    client = make_client(name, options, lambda *_: None, lambda: None, lambda _: None)
    client.send("ignored")
    client.pause()
    client.resume()
    await client.close(0.1)
