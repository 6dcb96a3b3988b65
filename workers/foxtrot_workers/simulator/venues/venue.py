"""The seam between the simulated exchange and what is special to each real one. Pure."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import ClassVar

from foxtrot_workers.simulator.market.market import Market
from foxtrot_workers.simulator.market.publisher import Publisher
from foxtrot_workers.simulator.venues.answer import Answer
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from foxtrot_workers.simulator.venues.session import Session

__all__ = ["SNAPSHOT", "Venue"]

SNAPSHOT = " snapshot"
"""Behind the name of a stream: what new subscribers are sent first, which has its own place in the ledger."""


class Venue(abc.ABC):
    """One exchange: how it publishes, answers and refuses. One instance for each server."""

    limits: ClassVar[ExchangeLimits] = ExchangeLimits()
    """Rules that hold unless others are given."""

    separator: ClassVar[str] = ""
    """What the exchange writes between base and quote; the market knows symbols without it."""

    def __init__(self) -> None:
        self.limits_used: ExchangeLimits = self.limits
        """The rules of this server."""

    @property
    @abc.abstractmethod
    def publisher(self) -> Publisher:
        """Makes the messages of a market."""

    @abc.abstractmethod
    def session(self, path: str, query: str) -> Session:
        """Return the session of a connection opened at `path` with the raw `query`; raises `BadAddress`."""

    @abc.abstractmethod
    def answer(self, market: Market, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        """Return the answer to ``GET path?query``; never raises."""

    @abc.abstractmethod
    def failure(self, status: int, reason: str, retry_after_s: float | None = None) -> Answer:
        """Return an error of the HTTP side in the exchange's form, such as 429 for too many requests."""

    def state(self, path: str, maintained: str) -> Answer | None:
        """Return the answer to ``GET path`` if that asks for the exchange's state, else None.

        `maintained`: what is maintained; "": nothing. Exchanges without such a request return None.
        """
        return None

    def is_book(self, topic: str) -> bool:
        """Return whether `topic` has updates of a book."""
        return self._is_book(topic) and not topic.endswith(SNAPSHOT)

    @abc.abstractmethod
    def _is_book(self, topic: str) -> bool:
        """Return whether `topic` is a book with a snapshot and updates."""
