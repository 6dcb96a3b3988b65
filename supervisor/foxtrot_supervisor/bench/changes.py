"""What has changed between two reports; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

__all__ = ["Change", "changes"]


class Change(Struct, frozen=True):
    """One figure in two reports; `ratio`: new to old, None for a division by zero."""

    figure: str
    before: float
    now: float
    ratio: float | None


def changes(before: Mapping[str, Any], report: Mapping[str, Any]) -> list[Change]:
    """Return the medians that both reports have, in the order of the new one."""
    old = dict(_medians("", before))
    now = _medians("", msgspec.to_builtins(report))
    return [
        Change(figure, old[figure], value, round(value / old[figure], 3) if old[figure] else None)
        for figure, value in now
        if figure in old
    ]


def _medians(prefix: str, part: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in part.items():
        path = f"{prefix} / {name}" if prefix else name
        if isinstance(value, Mapping):
            if "median" in value:
                yield path, float(value["median"])
            else:
                yield from _medians(path, value)
