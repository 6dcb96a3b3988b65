"""Where a book stands in its chain of updates: shared by the book, which decides, and the compiled matcher. Pure.

While a chain is steady, an update that continues it needs no decision: it is published, and the state here advances.
The compiled matcher does that for frames that match a template, and merges them into the check for a crossed book,
until that is due. Every other update goes to the book.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from foxtrot_protocol import compiled
from foxtrot_workers.adapter.crossing import CrossingCheck

__all__ = ["MATCHER", "BookChain", "PureBookChain"]

MATCHER = "foxtrot_workers.templates._matcher"
"""Name of the compiled module."""


class PureBookChain:
    """State of one chain; `step`: 1 where an update's first id follows the last one, 0 where it repeats it."""

    __slots__ = ("in_order", "last", "last_ns", "newest", "steady", "step")

    def __init__(self, step: int) -> None:
        self.last: Any = None
        """Id of the last published update, an integer; None where updates have no ids."""
        self.newest: int = 0
        """Id of the newest update received, published or not."""
        self.last_ns: int = 0
        """Receive time of the last published update."""
        self.in_order: int = 0
        """Updates published in order."""
        self.steady: bool = False
        """Whether the next update in order is published without a decision."""
        self.step = step

    def settle(self, crossing: CrossingCheck) -> None:
        """Let updates be published without a decision, until `crossing` is due; they are merged into it."""
        self.steady = True

    def unsettle(self) -> None:
        """Let no update be published without a decision."""
        self.steady = False


if TYPE_CHECKING:
    BookChain = PureBookChain
else:
    _native = compiled.load(MATCHER)
    BookChain = PureBookChain if _native is None else _native.BookChain
