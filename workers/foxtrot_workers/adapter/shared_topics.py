"""Channels that one topic of an exchange carries together, such as ticker, funding and mark price. Pure.

Each has a wire name of its own, ``TOPIC#CHANNEL``, so that its state is known.
The exchange is asked for the topic only.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["SharedTopics", "shared_wire", "topic_of"]

_MARK = "#"


def shared_wire(topic: str, channel: str) -> str:
    """Return the wire name of `channel` within `topic`."""
    return f"{topic}{_MARK}{channel}"


def topic_of(wire: str) -> str:
    """Return the exchange's topic for a wire name."""
    return wire.partition(_MARK)[0]


class SharedTopics:
    """The wire names of one connection that are subscribed, by topic."""

    def __init__(self) -> None:
        self._wires: dict[str, dict[str, None]] = {}

    def subscribe(self, wires: Iterable[str]) -> list[str]:
        """Add wire names; return the topics that carry them, without duplicates."""
        topics: dict[str, None] = {}
        for wire in wires:
            topic = topic_of(wire)
            topics[topic] = None
            self._wires.setdefault(topic, {})[wire] = None
        return list(topics)

    def unsubscribe(self, wires: Iterable[str]) -> tuple[list[str], list[str]]:
        """Return the topics that no other wire name needs, and those of `wires` whose topic others still need.

        The latter are removed at once; the others when the exchange has acknowledged it (`remove`).
        """
        leaving = list(dict.fromkeys(wires))
        topics: dict[str, None] = {}
        ended: list[str] = []
        for wire in leaving:
            topic = topic_of(wire)
            if self._wires.get(topic, {}).keys() <= set(leaving):
                topics[topic] = None
            else:
                self._wires[topic].pop(wire, None)
                ended.append(wire)
        return list(topics), ended

    def wires(self, topic: str) -> tuple[str, ...]:
        """Return the wire names that `topic` carries."""
        return tuple(self._wires.get(topic, ()))

    def channels(self, topic: str) -> frozenset[str]:
        """Return the channels of the wire names that `topic` carries; the topic's own is ``""``."""
        return frozenset(wire.partition(_MARK)[2] for wire in self._wires.get(topic, ()))

    def remove(self, topic: str) -> tuple[str, ...]:
        """Forget `topic`; return the wire names that it carried."""
        return tuple(self._wires.pop(topic, ()))
