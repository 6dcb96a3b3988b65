"""What an adapter declares of its frames, so that templates of them can be learned. Pure.

A declaration says what decides about the events of a frame: the type it is decoded as, the streams whose frames have
this type, and the book that checks its updates. Everything else is learned (`foxtrot_workers.templates`): the order of
keys, which field becomes which element of an event, and what is constant. A parser may be declared if the events of a
frame depend on nothing else, so not on the clock or on earlier frames, apart from the declared book.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from foxtrot_workers.adapter.book_chain import BookChain

__all__ = ["DeclaredStream", "FrameKind", "FrameKinds", "Path"]

Path: TypeAlias = tuple[str, ...]
"""Where a field stands: the keys on the way to it; ``[]`` stands for the elements of a list."""


class DeclaredStream(Struct, frozen=True):
    """A stream of a kind.

    `key`: text of its key field. `symbol`: in its events. `wire`: of its topic. `chain`: state of its book, for updates
    of books.
    """

    key: str
    symbol: str
    wire: str
    chain: BookChain | None = None


class FrameKind:
    """Frames that are decoded as one type and become events of one type.

    Args:
        decoder: decodes them.
        event: type of the events.
        exchange: in the events.
        key: where the text that names the stream stands.
        unused: fields that are decoded although no event of a steady stream depends on them.
        fixed: other fields that decide which parser a frame goes to, with their text.
        chained: whether the events update a book: each stream then has a `BookChain`.
    """

    def __init__(
        self,
        decoder: msgspec.json.Decoder[Any],
        event: type,
        exchange: str,
        key: Path,
        unused: tuple[Path, ...],
        fixed: tuple[tuple[Path, str], ...],
        chained: bool,
    ) -> None:
        self.decoder = decoder
        self.event = event
        self.exchange = exchange
        self.key = key
        self.unused = unused
        self.fixed = fixed
        self.chained = chained
        self.streams: dict[str, DeclaredStream] = {}
        """By key."""


class FrameKinds:
    """All declarations of one adapter."""

    def __init__(self) -> None:
        self._kinds: dict[object, FrameKind] = {}
        self._by_wire: dict[str, tuple[FrameKind, str]] = {}
        self.version = 0
        """Number of changes."""

    def __iter__(self) -> Any:
        return iter(self._kinds.values())

    def declare(
        self,
        decode: Callable[[bytes], Any],
        event: type,
        exchange: str,
        stream: DeclaredStream,
        *,
        key: Path,
        unused: tuple[Path, ...] = (),
        fixed: tuple[tuple[Path, str], ...] = (),
    ) -> None:
        """Declare that frames of `stream` are decoded by `decode`, a method of a `msgspec.json.Decoder`."""
        decoder = decode.__self__  # type: ignore[attr-defined]
        chained = stream.chain is not None
        identity = (id(decoder), event, exchange, key, unused, fixed, chained)
        kind = self._kinds.get(identity)
        if kind is None:
            kind = FrameKind(decoder, event, exchange, key, unused, fixed, chained)
            self._kinds[identity] = kind
        self.withdraw(stream.wire)
        kind.streams[stream.key] = stream
        self._by_wire[stream.wire] = (kind, stream.key)
        self.version += 1

    def withdraw(self, wire: str) -> None:
        """Forget the stream of the topic `wire`: its frames are no longer accepted."""
        kind, key = self._by_wire.pop(wire, (None, ""))
        if kind is not None:
            del kind.streams[key]
            self.version += 1
