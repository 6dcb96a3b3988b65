"""Time and state of KuCoin, spot and futures (REST, "Get Server Time" and "Get Service Status")."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from foxtrot_workers.adapter import RestRequest, SystemStatus, SystemTime

__all__ = ["STATUS", "TIME"]


class _Time(Struct):
    data: int


class _Status(Struct):
    status: str
    msg: str | None = ""


class _Answer(Struct):
    data: _Status


_decode_time = msgspec.json.Decoder(_Time).decode
_decode_status = msgspec.json.Decoder(_Answer).decode


def _maintenance(body: bytes) -> str:
    """``cancelonly`` still publishes market data."""
    found = _decode_status(body).data
    return (found.msg or found.status) if found.status == "close" else ""


TIME = SystemTime(RestRequest("time", "/api/v1/timestamp"), lambda body: _decode_time(body).data * 1_000_000)
STATUS = SystemStatus(RestRequest("status", "/api/v1/status"), _maintenance)
