"""What is measured beside what: systems, and the product's settings that decide its latency; pure."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

__all__ = ["PEERS", "THROUGHPUT", "VARIANTS", "System", "Variant", "throughput_with", "variants_with"]

System: TypeAlias = Literal["foxtrot", "pure", "baseline", "ringless", "framed", "recorded", "floor", "cryptofeed"]

PEERS: Final[tuple[System, ...]] = ("cryptofeed",)
"""Other projects that can take part, where they are installed."""


class Variant(Struct, frozen=True):
    """One row of a table; `engine`: keys of ``[engine]`` that differ from their defaults."""

    name: str
    system: System
    engine: dict[str, Any] = {}


VARIANTS: Final = (
    Variant("foxtrot", "foxtrot"),
    Variant("foxtrot, pure Python", "pure"),
    Variant("foxtrot, backoff", "foxtrot", {"idle": "backoff"}),
    Variant("foxtrot, ring", "foxtrot", {"transport": "ring"}),
    Variant("foxtrot, ring, backoff", "foxtrot", {"transport": "ring", "idle": "backoff"}),
    Variant("foxtrot, ring, spin", "foxtrot", {"transport": "ring", "idle": "spin"}),
    Variant("baseline", "baseline"),
)
"""Both forms, both transports with each way of being idle that differs in latency, and the baseline."""

THROUGHPUT: Final = (
    Variant("foxtrot", "foxtrot"),
    Variant("foxtrot, ring", "foxtrot", {"transport": "ring"}),
    Variant("pure", "pure"),
    Variant("pure, ring", "pure", {"transport": "ring"}),
    Variant("baseline", "baseline"),
    Variant("floor", "floor"),
)
"""Rows of the table of throughput: both forms on both transports, the baseline, and a loop that only receives."""


def throughput_with(peers: tuple[System, ...]) -> tuple[Variant, ...]:
    """Return all rows of the table of throughput, those of `peers` last."""
    return (*THROUGHPUT, *(Variant(peer, peer) for peer in peers))


def variants_with(peers: tuple[System, ...]) -> tuple[Variant, ...]:
    """Return all rows of the table of latencies, those of `peers` last."""
    return (*VARIANTS, *(Variant(peer, peer) for peer in peers))
