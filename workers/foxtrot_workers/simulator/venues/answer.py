"""Answers of the simulated REST API. Data only."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Answer", "retry_after"]


class Answer(Struct, frozen=True):
    """HTTP status, JSON body, request weight and additional headers."""

    status: int
    body: bytes
    weight: int = 1
    headers: dict[str, str] = {}
    endless: tuple[bytes, bytes] | None = None
    """Instead of all that: bytes to begin with, and bytes to repeat without end."""
    pause_s: float = 0.0
    """Seconds between repetitions."""


def retry_after(seconds: float | None) -> dict[str, str]:
    """Return the header that says when to come again; none for None."""
    return {} if seconds is None else {"Retry-After": str(max(1, round(seconds)))}
