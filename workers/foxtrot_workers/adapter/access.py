"""What an exchange must be asked by REST before a connection to it is opened. Pure.

Some exchanges name the address of a connection, and a token for it, only on request. `Adapter.access_request` is the
request, and `Adapter.on_access` reads the answer. A token is a secret: neither the address nor the answer is logged.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = ["AccessRequest"]


class AccessRequest(Struct, frozen=True):
    """Send `method` to ``rest_url + path``, without a body; `weight`: cost against `Limits.rest_weight`."""

    method: Literal["GET", "POST"]
    path: str
    weight: int = 1
