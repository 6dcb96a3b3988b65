"""What is sent in one run. Pure."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Load"]


class Load(Struct, frozen=True):
    """What is sent in one run; `rate_per_s` 0: as fast as it is taken."""

    kind: str
    events: int
    rate_per_s: int = 0

    @property
    def path(self) -> str:
        """The order to the load server."""
        return f"/bench/send?kind={self.kind}&events={self.events}&rate={self.rate_per_s}"
