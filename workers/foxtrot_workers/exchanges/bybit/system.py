"""Time and state of Bybit (``docs/v5/market/time.mdx``, ``docs/v5/system-status.mdx``)."""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from foxtrot_workers.adapter import RestRequest, SystemStatus, SystemTime

__all__ = ["STATUS", "TIME"]


class _Nanoseconds(Struct):
    time_ns: str = field(name="timeNano")


class _Time(Struct):
    result: _Nanoseconds


class _Event(Struct):
    title: str = ""
    state: str = ""


class _Events(Struct):
    events: list[_Event] = field(name="list")


class _Status(Struct):
    result: _Events


_decode_time = msgspec.json.Decoder(_Time).decode
_decode_status = msgspec.json.Decoder(_Status).decode


def _maintenance(body: bytes) -> str:
    """Name the first event under way; interruptions of less than ten seconds are not listed."""
    ongoing = (event for event in _decode_status(body).result.events if event.state == "ongoing")
    return next((event.title or "ongoing" for event in ongoing), "")


TIME = SystemTime(RestRequest("time", "/v5/market/time"), lambda body: int(_decode_time(body).result.time_ns))
STATUS = SystemStatus(RestRequest("status", "/v5/system/status"), _maintenance)
