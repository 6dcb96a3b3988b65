"""What errors of PostgreSQL mean."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.sinks.postgresql.faults import fault_of


@pytest.mark.parametrize(
    ("sqlstate", "fault"),
    [
        ("22P02", "row"),  # invalid text of a number
        ("22021", "row"),  # a NUL in text
        ("23502", "row"),  # null in a column of another program
        ("54000", "row"),  # an index row that is too long
        ("P0001", "row"),  # a trigger refuses it
        ("42P01", "misconfigured"),  # table dropped
        ("42501", "misconfigured"),  # no right
        ("28P01", "misconfigured"),  # wrong password
        ("53100", "unavailable"),  # disk full
        ("57P01", "unavailable"),  # server stops
        ("40P01", "unavailable"),  # deadlock
        ("25006", "unavailable"),  # a standby
    ],
)
def test_codes(sqlstate: str, fault: str) -> None:
    assert fault_of(sqlstate) == fault


def test_a_missing_partition_is_not_the_rows_fault() -> None:
    assert fault_of("23514", constraint="price_check") == "row"
    assert fault_of("23514", "no partition of relation found") == "misconfigured"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("connection refused", "unavailable"),
        ("the database system is starting up", "unavailable"),
        ('FATAL:  password authentication failed for user "x"', "misconfigured"),
        ("fe_sendauth: no password supplied", "misconfigured"),
        ('FATAL: database "x" does not exist', "misconfigured"),
        ("server does not support SSL, but SSL was required", "misconfigured"),
        ("SSL error: certificate verify failed", "misconfigured"),
    ],
)
def test_errors_without_a_code(text: str, fault: str) -> None:
    assert fault_of(None, text) == fault
