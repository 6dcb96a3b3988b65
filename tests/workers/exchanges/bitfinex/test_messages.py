from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_workers.exchanges.bitfinex.messages import channel_message, decode_array, millis_ns, row_of, rows_of, whole


def _taken(text: str) -> tuple[Any, ...]:
    return tuple(channel_message(decode_array(text.encode())))


def test_sequence_and_time_stand_behind_the_payload() -> None:
    assert _taken("[5,[1,2]]") == (5, "", [1, 2], None, 0)
    assert _taken("[5,[1,2],18]") == (5, "", [1, 2], 18, 0)
    assert _taken("[5,[1,2],18,1618665870435]") == (5, "", [1, 2], 18, 1618665870435_000_000)
    assert _taken("[5,[1,2],1618665870435]") == (5, "", [1, 2], None, 1618665870435_000_000)
    assert _taken('[5,"te",[1],18,1618665870435,"more"]') == (5, "te", [1], 18, 1618665870435_000_000)


def test_heartbeats_and_checksums() -> None:
    assert _taken('[204928, "hb", 127]') == (204928, "hb", None, 127, 0)
    assert _taken('[173904, "cs", -890884919, 19]') == (173904, "cs", -890884919, 19, 0)


@pytest.mark.parametrize("text", ["[]", "[5]", '["5",[]]', "[null,[]]", "[5,[],-1]", '[5,[],"x"]', "[5,[],1.5]"])
def test_other_arrays_are_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        _taken(text)


@pytest.mark.parametrize("value", [-1, 2**63, "5", None, True, 1.5, []])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        whole(value)
    with pytest.raises(msgspec.ValidationError):
        millis_ns(value)


def test_a_time_must_fit_into_nanoseconds() -> None:
    assert millis_ns(5) == 5_000_000
    with pytest.raises(msgspec.ValidationError):
        millis_ns(2**62)


def test_rows_may_be_longer_but_not_shorter() -> None:
    assert row_of([1, 2, 3], 2) == [1, 2, 3]
    for value in ([1], {}, "ab", None):
        with pytest.raises(msgspec.ValidationError):
            row_of(value, 2)


def test_a_snapshot_is_an_array_of_rows() -> None:
    assert rows_of([[1], [2]]) == (True, [[1], [2]])
    assert rows_of([]) == (True, [])
    assert rows_of([1, 2]) == (False, [[1, 2]])
