"""Which parser a frame needs, told by its first bytes.

Every data frame begins with ``{"arg":{"channel":…,"instId":…}``; these bytes, as they come, are the key. The first
frame of an unfamiliar spelling (other key order, further keys, white space) is decoded to find its topic, and its
spelling remembered.
"""

from __future__ import annotations

import msgspec

from foxtrot_workers.exchanges.okx.constants import SPELLINGS_MAX
from foxtrot_workers.exchanges.okx.messages import Arg, decode_beginning, wire_of
from foxtrot_workers.exchanges.okx.parsers import Parser

__all__ = ["Routes"]


class Routes:
    """Parsers of one connection by topic.

    `by_beginning` is public for the hot path: it maps the beginning of a frame, up to the end of its argument, to its
    parser.
    """

    def __init__(self) -> None:
        self.by_beginning: dict[bytes, Parser] = {}
        self._by_arg: dict[Arg, Parser] = {}
        self._spellings: dict[Arg, list[bytes]] = {}
        """The keys of `by_beginning` that belong to a topic."""

    def __len__(self) -> int:
        return len(self._by_arg)

    def __contains__(self, arg: object) -> bool:
        return arg in self._by_arg

    def get(self, arg: Arg) -> Parser | None:
        """Return the parser of the topic `arg`; None if there is none."""
        return self._by_arg.get(arg)

    def add(self, arg: Arg, parser: Parser) -> None:
        """Send frames of the topic `arg` to `parser`."""
        self._by_arg[arg] = parser
        self._remember(b'{"arg":%b' % msgspec.json.encode(arg)[:-1], arg, parser)

    def learn(self, frame: bytes, arg: Arg) -> None:
        """Remember how `frame`, which is of the topic `arg`, begins, if its beginning is just this argument."""
        beginning = frame[: frame.find(b"}")]
        try:
            is_whole = wire_of(decode_beginning(beginning + b"}}").arg) == wire_of(arg)
        except msgspec.DecodeError:
            return
        if is_whole and len(self.by_beginning) < SPELLINGS_MAX:
            self._remember(beginning, arg, self._by_arg[arg])

    def _remember(self, beginning: bytes, arg: Arg, parser: Parser) -> None:
        self.by_beginning[beginning] = parser
        self._spellings.setdefault(arg, []).append(beginning)

    def remove(self, arg: Arg) -> None:
        """Forget the topic `arg`."""
        self._by_arg.pop(arg, None)
        for beginning in self._spellings.pop(arg, ()):
            self.by_beginning.pop(beginning, None)
