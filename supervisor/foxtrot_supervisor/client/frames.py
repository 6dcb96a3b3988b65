"""Events as a pandas DataFrame. pandas is imported at the first call: it is an extra."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

__all__ = ["FramesUnavailable", "frame_of"]

_LEFT_OUT = frozenset(("receive_ns", "exchange_ns", "publish_ns"))


class FramesUnavailable(Exception):
    """pandas is not installed, or nothing was kept; the text says what to do."""


def frame_of(events: Sequence[Any], columns: Sequence[str]) -> Any:
    """Return events of one type as a DataFrame.

    The index ``time`` is when the event was received, in UTC; ``exchange_time`` is the exchange's own time, or NaT.
    Numbers are as the decoder made them: ``float``, or ``Decimal`` and text as objects.

    Args:
        events: in order.
        columns: fields of the events, shown even if there is none.

    Raises:
        FramesUnavailable: if pandas is not installed.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        raise FramesUnavailable(f"needs pandas ({error}): pip install 'foxtrot-supervisor[frames]'") from None
    received = pandas.to_datetime([event.receive_ns for event in events], unit="ns", utc=True)
    times = [event.exchange_ns or None for event in events]
    data: dict[str, Any] = {"exchange_time": pandas.to_datetime(times, unit="ns", utc=True)}
    for column in columns:
        if column not in _LEFT_OUT:
            data[column] = [getattr(event, column) for event in events]
    return pandas.DataFrame(data, index=pandas.DatetimeIndex(received, name="time"))
