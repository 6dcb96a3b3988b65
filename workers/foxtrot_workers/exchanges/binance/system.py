"""Time and state of Binance (``rest-api.md``, "Check server time"; wallet endpoints, "System Status")."""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from foxtrot_workers.adapter import RestRequest, SystemStatus, SystemTime

__all__ = ["STATUS", "system_time"]


class _Time(Struct):
    server_time: int = field(name="serverTime")


class _Status(Struct):
    status: int
    msg: str = ""


_decode_time = msgspec.json.Decoder(_Time).decode
_decode_status = msgspec.json.Decoder(_Status).decode


def system_time(prefix: str) -> SystemTime:
    """Return the request of the REST interface at `prefix`."""
    return SystemTime(RestRequest("time", f"{prefix}/time"), lambda body: _decode_time(body).server_time * 1_000_000)


def _maintenance(body: bytes) -> str:
    """0: normal, 1: system maintenance."""
    status = _decode_status(body)
    return (status.msg or f"status {status.status}") if status.status else ""


STATUS = SystemStatus(RestRequest("status", "/sapi/v1/system/status"), _maintenance)
