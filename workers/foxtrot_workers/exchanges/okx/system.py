"""Time and state of OKX (v5 API, "Get system time" and "Status")."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct, field

from foxtrot_workers.adapter import RestRequest, SystemStatus, SystemTime

__all__ = ["STATUS", "TIME"]

_WEBSOCKET: Final = "0"
"""``serviceType`` of the WebSocket servers; the others are parts of trading."""


class _Moment(Struct):
    ts: str


class _Times(Struct):
    data: list[_Moment]


class _Event(Struct):
    title: str = ""
    state: str = ""
    service: str = field(name="serviceType", default="")


class _Events(Struct):
    code: str
    data: list[_Event]


_decode_times = msgspec.json.Decoder(_Times).decode
_decode_events = msgspec.json.Decoder(_Events).decode


def _time_ns(body: bytes) -> int:
    return int(_decode_times(body).data[0].ts) * 1_000_000


def _maintenance(body: bytes) -> str:
    """Name the first event under way that concerns the WebSocket servers."""
    events = _decode_events(body)
    if events.code != "0":
        raise ValueError(f"code {events.code}")
    ongoing = (event for event in events.data if event.state == "ongoing" and event.service == _WEBSOCKET)
    return next((event.title or "WebSocket" for event in ongoing), "")


TIME = SystemTime(RestRequest("time", "/api/v5/public/time"), _time_ns)
STATUS = SystemStatus(RestRequest("status", "/api/v5/system/status?state=ongoing"), _maintenance)
