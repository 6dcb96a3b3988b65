"""Answers of JetStream."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.sinks.nats.answers import parse_answer, refuses_stream


def test_an_acknowledgement() -> None:
    answer = parse_answer(b'{"stream":"FOXTROT", "domain":"", "seq":7, "duplicate": true}', None)
    assert (answer.stream, answer.seq, answer.duplicate, answer.error) == ("FOXTROT", 7, True, None)


@pytest.mark.parametrize(
    ("data", "status", "refuses_row", "misconfigured"),
    [
        (b'{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum"}}', None, True, False),
        (b'{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}', None, False, False),
        (b'{"error":{"code":400,"err_code":10060,"description":"expected stream"}}', None, False, True),
        (b"", "503", False, False),
        (b"not json", None, False, False),
        (b'{"seq":"text"}', None, False, False),
    ],
)
def test_errors(data: bytes, status: str | None, refuses_row: bool, misconfigured: bool) -> None:
    error = parse_answer(data, status).error
    assert error is not None
    assert error.refuses_row is refuses_row
    assert refuses_stream(error) is misconfigured
    assert error.description
