"""Time of Deribit (``public/get_time``)."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from foxtrot_workers.adapter import RestRequest, SystemTime

__all__ = ["TIME"]


class _Answer(Struct):
    result: int


_decode = msgspec.json.Decoder(_Answer).decode

TIME = SystemTime(RestRequest("time", "/api/v2/public/get_time"), lambda body: _decode(body).result * 1_000_000)
