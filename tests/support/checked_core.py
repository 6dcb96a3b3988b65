"""A core that compares everything it keeps at hand with a scan over all children, after each input."""

from __future__ import annotations

from foxtrot_supervisor.core.children import in_order, standing_of
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.effects import Effect
from foxtrot_supervisor.core.inputs import Input

__all__ = ["CheckedCore"]


class CheckedCore(Core):
    """Raises `AssertionError` as soon as an index, a count or the earliest deadline differs from a full scan."""

    def handle(self, input: Input, now: float) -> list[Effect]:  # noqa: A002
        effects = super().handle(input, now)
        self.check(now)
        return effects

    def check(self, now: float) -> None:
        table = self._children
        children = list(table)
        standings = {child: standing_of(child) for child in children}
        assert not self._shared.changed
        scanned = min((child.deadline(now) for child in children), default=float("inf"))
        assert table.next_deadline() == scanned, f"heap: {table.next_deadline()}, scan: {scanned}"
        assert table.any_lives == any(standing.lives for standing in standings.values())
        blocking = [standing.blocks for standing in standings.values() if standing.blocks is not None]
        assert table.lowest_blocking_tier == min(blocking, default=None)
        for index, name in (
            (table.awaiting, "awaits_start"),
            (table.outdated, "outdated"),
            (table.changing_sides, "changes_sides"),
            (table.foundations, "foundation"),
        ):
            expected = [child for child in children if getattr(standings[child], name)]
            assert in_order(index) == expected, name
        starting = bool(table.awaiting) or any(standing.starting for standing in standings.values())
        down = any(standing.down for standing in standings.values())
        assert table.phase == ("starting" if starting else "degraded" if down else "running")
