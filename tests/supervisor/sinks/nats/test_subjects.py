"""Subjects and ids of messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_supervisor.sinks.nats.subjects import (
    is_prefix,
    is_stream_name,
    message_id,
    subject_of,
    token,
    token_text,
)
from tests.support.sink_rows import every_kind, trade_rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BTCUSDT", "BTCUSDT"),
        ("BTC-USD", "BTC-USD"),
        ("XBT/USD", "XBT/USD"),
        ("@142", "@142"),
        ("a.b", "a%2Eb"),
        ("*", "%2A"),
        (">", "%3E"),
        ("a b\r\n", "a%20b%0D%0A"),
        ("50%", "50%25"),
        ("币", "%E5%B8%81"),
        ("", "_"),
        ("_", "%5F"),
        ("_a", "_a"),
    ],
)
def test_tokens(text: str, expected: str) -> None:
    assert token(text) == expected
    assert token_text(expected) == text


@given(st.text())
def test_any_text_is_one_token_that_can_be_reversed(text: str) -> None:
    made = token(text)
    assert made.isascii()
    assert made.isprintable()
    assert not set(made) & set(" .*>")
    assert made
    assert token_text(made) == text


def test_subjects_and_ids_of_rows() -> None:
    (row,) = trade_rows(1, 1)
    assert subject_of(row, "foxtrot") == "foxtrot.SIM.trade.BTCUSDT"
    assert message_id(row) == row.key
    rows = every_kind()
    assert len({message_id(each) for each in rows}) == len(rows)
    for each in rows:
        assert subject_of(each, "p.q").count(".") == 4
        assert message_id(each).isascii()
        assert message_id(each).isprintable()


def test_names_in_settings() -> None:
    assert is_stream_name("FOXTROT_1-a")
    assert not any(map(is_stream_name, ("", "a.b", "a b", "a" * 101, "é", "a\n")))
    assert is_prefix("foxtrot")
    assert is_prefix("desk.eu-1")
    assert not any(map(is_prefix, ("", ".", "a.", ".a", "a..b", "a.*", "$JS x", "a" * 101)))
