"""Declarations of keys: ranges, units, defaults."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Struct

from foxtrot_supervisor.config.setting import Range, Setting, keys_of, number_text


class Table(Struct, kw_only=True):
    required: Annotated[str, Setting(description="Text.")]
    wait_s: Annotated[float | None, Setting(description="Wait.", range=Range(0.0, 10.0))] = None
    slow_ms: Annotated[float, Setting(description="Slow.")] = 1.5
    size_mib: Annotated[int, Setting(description="Size.")] = 4
    count: Annotated[int, Setting(description="Count.")] = 2
    share: Annotated[float, Setting(description="Share.")] = 0.5
    on: Annotated[bool, Setting(description="On.")] = False
    words: Annotated[list[str], Setting(description="Words.")] = []
    mode: Annotated[Literal["a", "b"], Setting(description="Mode.")] = "a"


def test_keys_are_read_from_the_fields() -> None:
    keys = keys_of(Table)
    assert {name: key.unit for name, key in keys.items()} == {
        "required": "text",
        "wait_s": "seconds",
        "slow_ms": "milliseconds",
        "size_mib": "MiB",
        "count": "whole number",
        "share": "number",
        "on": "true or false",
        "words": "list of texts",
        "mode": "text",
    }
    assert keys["required"].default is msgspec.NODEFAULT
    assert (keys["wait_s"].hint, keys["wait_s"].default) == (float, None)
    assert keys["words"].default == []
    assert keys["mode"].choices == ("a", "b")
    assert keys["count"].choices == ()
    assert keys["wait_s"].setting.description == "Wait."


@pytest.mark.parametrize(
    ("limits", "value", "reason"),
    [
        (Range(0.0, 10.0), 0.0, None),
        (Range(0.0, 10.0), 10.0, None),
        (Range(0.0, 10.0), 10.5, "must be at least 0 and at most 10, not 10.5"),
        (Range(0.0, 10.0, above=True), 0.0, "must be more than 0 and at most 10, not 0"),
        (Range(0.0, 10.0), math.nan, "must be at least 0 and at most 10, not nan"),
    ],
)
def test_ranges(limits: Range, value: float, reason: str | None) -> None:
    assert limits.reason(value) == reason


def test_an_integer_beyond_any_float_is_described() -> None:
    assert number_text(10**400) == "a number that large"
