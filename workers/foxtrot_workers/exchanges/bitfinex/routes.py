"""Which parser a frame needs, told by its channel number, and the sequence that all frames of a connection share.

Source: "Conf Flags": with flag 65536 each array has a sequence, one more than that of the array before, heartbeats
included.
"""

from __future__ import annotations

from foxtrot_workers.exchanges.bitfinex.constants import LEAPS_MAX
from foxtrot_workers.exchanges.bitfinex.parsers import ChannelParser

__all__ = ["Routes", "Sequence"]


class Routes:
    """Parsers of one connection by topic and by channel number. A number becomes known with its acknowledgement."""

    def __init__(self) -> None:
        self.by_number: dict[int, ChannelParser] = {}
        self._topics: dict[int, str] = {}
        self._parsers: dict[str, ChannelParser] = {}

    def __len__(self) -> int:
        return len(self._parsers)

    def __contains__(self, topic: object) -> bool:
        return topic in self._parsers

    def topics(self) -> list[str]:
        """Return all topics that have a parser."""
        return list(self._parsers)

    def topic(self, number: int) -> str:
        """Return the topic of a channel; "" if it is unknown."""
        return self._topics.get(number, "")

    def add(self, topic: str, parser: ChannelParser) -> None:
        """Send messages of the channels of `topic` to `parser`."""
        self._parsers[topic] = parser
        for number, each in self._topics.items():
            if each == topic:
                self.by_number[number] = parser

    def number(self, number: int, topic: str) -> None:
        """Take `number` as a channel of `topic`, which has a parser."""
        self._topics[number] = topic
        self.by_number[number] = self._parsers[topic]

    def forget_number(self, number: int) -> None:
        """Forget a channel."""
        self._topics.pop(number, None)
        self.by_number.pop(number, None)

    def remove(self, topic: str) -> None:
        """Forget a topic and its channels."""
        self._parsers.pop(topic, None)
        for number in [number for number, each in self._topics.items() if each == topic]:
            self.forget_number(number)


class Sequence:
    """The sequence of one connection. A leap means that frames are missing, of unknown channels.

    A sequence that has leapt `LEAPS_MAX` times is not believed any more: its frames are chosen from a recording, or
    its numbers mean something else.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._leaps = 0

    def missing(self, number: int | None) -> str:
        """Return what is missing before the frame with `number`; "" for nothing."""
        if number is None or self._last is None or number == self._last + 1 or self._leaps >= LEAPS_MAX:
            return ""
        return f"the sequence of the connection leaps from {self._last} to {number}"

    def take(self, number: int | None) -> None:
        """The frame with `number` has been processed."""
        if self.missing(number):
            self._leaps += 1
        if number is not None:
            self._last = number
