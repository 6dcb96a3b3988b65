"""A connection without a clock or a socket: an exchange with one text for each topic, and readers of effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.limits import Limits, Topic
from foxtrot_workers.feed.connection_life import ConnectionLife
from foxtrot_workers.feed.effects import FeedEffect, Send, TopicChanged

E = TypeVar("E", bound=FeedEffect)


class Plain(Adapter):
    """An exchange with one text for each topic."""

    name = "plain"
    exchange = "PLAIN"
    channels = frozenset({"trade"})
    url = "ws://127.0.0.1"
    rest_url = "http://127.0.0.1"
    limits = Limits(silence_s=45.0, acknowledge_s=10.0, topics_max=4)

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        return [Topic(channel, symbol, f"{symbol}@{channel}") for channel in channels for symbol in symbols]

    def address(self, base: str) -> str:
        return base

    def opening(self) -> list[str]:
        return ["hello"]

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        return [f"+{topic.wire}" for topic in topics]

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        return [f"-{topic.wire}" for topic in topics]

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        raise AssertionError("not used")


class Paced(Plain):
    limits = Limits(silence_s=45.0, send_interval_s=0.5, ping_text="ping", ping_idle_s=20.0, lifetime_s=100.0)


def make(kind: type[Adapter] = Plain, symbols: str = "A B", **settings: float) -> tuple[ConnectionLife, Adapter]:
    adapter = kind()
    return ConnectionLife(adapter, adapter.topics(["trade"], symbols.split()), **settings), adapter


def of(kind: type[E], effects: list[FeedEffect]) -> list[E]:
    return [effect for effect in effects if isinstance(effect, kind)]


def texts(effects: list[FeedEffect]) -> list[str]:
    return [effect.text for effect in of(Send, effects)]


def states(effects: list[FeedEffect]) -> list[tuple[str, str]]:
    return [(effect.topic.wire, effect.state) for effect in of(TopicChanged, effects)]


def run(feed: ConnectionLife, start: float, end: float, step: float = 0.25) -> list[FeedEffect]:
    """Ticks from `start` to `end`, with a pong in time for each."""
    effects: list[FeedEffect] = []
    now = start
    while now <= end:
        effects += feed.tick(now, now)
        now += step
    return effects


def data(adapter: Adapter, wire: str, at_ns: int) -> None:
    adapter.last_data_ns[wire] = at_ns
