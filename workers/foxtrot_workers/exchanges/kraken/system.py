"""State of Kraken spot (REST ``SystemStatus``). Its time has steps of a second, and is of no use for an offset."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from foxtrot_workers.adapter import RestRequest, SystemStatus

__all__ = ["STATUS"]


class _Status(Struct):
    status: str


class _Answer(Struct):
    result: _Status


_decode = msgspec.json.Decoder(_Answer).decode


def _maintenance(body: bytes) -> str:
    """``cancel_only`` and ``post_only`` still publish market data."""
    status = _decode(body).result.status
    return status if status == "maintenance" else ""


STATUS = SystemStatus(RestRequest("status", "/0/public/SystemStatus"), _maintenance)
