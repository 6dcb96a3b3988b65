"""Times as ISO 8601 text (``2023-10-06T17:35:55.440295Z``): the type that reads them, and their nanoseconds. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeAlias

import msgspec

__all__ = ["IsoTime", "iso_ns"]

IsoTime: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""Type of a field: the decoder refuses text that is no time, or has no time zone. Precise to a microsecond."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_NS_MAX = 2**63 - 1


def iso_ns(time: datetime) -> int:
    """Return nanoseconds since 1970 UTC of a time with a time zone.

    Raises `msgspec.ValidationError` for a time before 1970 or after 2262, which an event cannot carry.
    """
    ns = (time - _EPOCH) // _MICROSECOND * 1_000
    if 0 <= ns <= _NS_MAX:
        return ns
    raise msgspec.ValidationError(f"not a possible time: {time}")
