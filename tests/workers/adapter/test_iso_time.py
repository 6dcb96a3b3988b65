from __future__ import annotations

import msgspec
import pytest
from msgspec import Struct

from foxtrot_workers.adapter.iso_time import IsoTime, iso_ns


class _Row(Struct):
    time: IsoTime


def _ns(text: str) -> int:
    return iso_ns(msgspec.json.decode(b'{"time":%b}' % msgspec.json.encode(text), type=_Row).time)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2023-10-06T17:35:55.440295Z", 1_696_613_755_440_295_000),
        ("2023-10-06T17:35:55.44Z", 1_696_613_755_440_000_000),
        ("2023-10-06T17:35:55Z", 1_696_613_755_000_000_000),
        ("2023-10-04T16:25:00.000000000Z", 1_696_436_700_000_000_000),
        ("2023-10-06 19:35:55.440295+02:00", 1_696_613_755_440_295_000),
    ],
)
def test_text_is_read_to_the_microsecond(text: str, ns: int) -> None:
    assert _ns(text) == ns


@pytest.mark.parametrize(
    "text",
    ["", "2023-10-06", "2023-10-06T17:35:55", "2023-13-06T17:35:55Z", "1969-12-31T23:59:59Z", "2263-01-01T00:00:00Z"],
)
def test_impossible_times_are_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        _ns(text)
