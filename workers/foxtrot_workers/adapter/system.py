"""What an exchange says about itself over REST: its time, and whether it is in maintenance. Pure."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from foxtrot_workers.adapter.notices import RestRequest

__all__ = ["SystemStatus", "SystemTime"]


class SystemTime(Struct, frozen=True):
    """How to ask an exchange for its time."""

    request: RestRequest
    read_ns: Callable[[bytes], int]
    """Returns nanoseconds since 1970 from an answer (status 200). Raises as `Adapter.parse` does, and ValueError."""
    resolution_ns: int = 1_000_000
    """Steps of its answers."""


class SystemStatus(Struct, frozen=True):
    """How to ask an exchange whether it is in maintenance."""

    request: RestRequest
    read: Callable[[bytes], str]
    """Returns what is maintained, in the exchange's words, from an answer (status 200); "" while it works. Raises as
    `Adapter.parse` does, and ValueError."""
