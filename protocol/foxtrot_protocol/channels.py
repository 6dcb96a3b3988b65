"""Names of configuration channels."""

from __future__ import annotations

__all__ = ["kind_of"]


def kind_of(channel: str) -> str:
    """Return the kind of `channel`: ``bar`` for each interval, ``book`` for each depth, else its own name."""
    if channel.startswith("bar_"):
        return "bar"
    return "book" if channel.startswith("book") else channel
