"""Silence of topics and of a whole connection: what it means and what follows. Pure.

A venue that pings and sends no data looks alive to every library. Three questions are answered here, each by itself:

* Is a topic *stale*? Each channel has a limit, or none where it may rest (trades of an illiquid symbol). A topic that
  is known to rest longer gets a longer limit (`topic_limit_s`).
* Is what is silent *most of the connection* (`most_is_silent`)? Then the connection is suspected, else the topic is
  asked for again on the running connection, with backoff, and the others go on.
* Is a suspected connection *dead, or its market quiet* (`StallProbe`)? Two looks by REST, some time apart, tell: what
  changed at the venue and was not pushed proves a dead stream. Data of the twin prove it too. Where neither can be
  asked, time decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

__all__ = [
    "ASK_AGAIN_MAX_S",
    "BLIND_FACTOR",
    "BLIND_RESTING_FACTOR",
    "GRACE_S",
    "LOOK_AGAIN_MAX_S",
    "RESTING_FACTOR",
    "RESTING_LIMIT_S",
    "RESTING_LOOKS_MIN",
    "REST_FACTOR",
    "REST_LIMIT_FACTOR_MAX",
    "Activity",
    "StallProbe",
    "ask_again_s",
    "most_is_silent",
    "topic_limit_s",
]

REST_FACTOR: Final = 4.0
"""A topic that has paused for so long and gone on is not stale before it pauses so many times longer ..."""

REST_LIMIT_FACTOR_MAX: Final = 10.0
"""... but never later than its channel's limit times this."""

ASK_AGAIN_FIRST_S: Final = 10.0
ASK_AGAIN_MAX_S: Final = 900.0
"""Bounds of the wait before a silent topic is subscribed again; it doubles with each attempt."""

LOOK_AGAIN_MAX_S: Final = 300.0
"""Longest time between two looks by REST at a quiet market; the wait doubles with each look."""

GRACE_S: Final = 2.0
"""REST may be ahead of the stream: what it showed has so many seconds to come on the stream."""

BLIND_FACTOR: Final = 2.0
"""Without any evidence a connection whose topics may not rest is replaced at this multiple of its limit ..."""

BLIND_RESTING_FACTOR: Final = 10.0
"""... and one whose topics may all rest at this multiple."""


RESTING_LOOKS_MIN: Final = 100
"""A topic that may rest and was found busy at so many looks is known well enough to have a limit of its own: ..."""

RESTING_LIMIT_S: Final = 120.0
"""... at least so many seconds ..."""

RESTING_FACTOR: Final = 20.0
"""... and so many times its longest pause."""


def topic_limit_s(default_s: float | None, longest_rest_s: float, looks: int) -> float | None:
    """Seconds without data after which a topic is stale; None: it may rest as long as it likes.

    Args:
        default_s: the channel's limit; None: it may rest, yet one that is always busy may not fall silent unnoticed.
        longest_rest_s: the longest pause of this topic that ended without our doing.
        looks: how many looks have found new data of it.
    """
    if default_s is None:
        known = looks >= RESTING_LOOKS_MIN
        return max(RESTING_LIMIT_S, RESTING_FACTOR * longest_rest_s) if known else None
    return min(max(default_s, REST_FACTOR * longest_rest_s), REST_LIMIT_FACTOR_MAX * default_s)


def ask_again_s(limit_s: float, attempt: int) -> float:
    """Seconds to wait after the subscription number `attempt` (from 0) of a silent topic before the next one."""
    first_s = min(max(limit_s, ASK_AGAIN_FIRST_S), ASK_AGAIN_MAX_S)
    return float(min(first_s * 2.0 ** min(attempt, 10), ASK_AGAIN_MAX_S))


class Activity(Struct, frozen=True):
    """One topic that has brought data in this connection's life."""

    silent: bool
    """It is silent although it was subscribed again."""
    looks: int
    """Looks that found new data: how busy it is."""


def most_is_silent(topics: Iterable[Activity]) -> bool:
    """Whether most of a connection has fallen silent, by number of topics and by how busy they were.

    Both: two illiquid symbols beside a busy one are no reason to cut off the busy one. A topic that never brought data
    says nothing about the connection: a delisted symbol would have it replaced for ever.
    """
    known = list(topics)
    silent = [topic for topic in known if topic.silent]
    busy = sum(topic.looks for topic in known)
    return len(silent) * 2 > len(known) and sum(topic.looks for topic in silent) * 2 > busy


class StallProbe:
    """Evidence about one suspected connection; times are monotonic seconds.

    Drive it: `suspect` while the connection is suspected and `clear` when data have come; when `wants_look`, ask by
    REST and report the answer by `answered`; `verdict` gives the reason to replace the connection, "" for none.
    """

    def __init__(self, limit_s: float) -> None:
        """`limit_s`: seconds without data after which a connection may be replaced."""
        self._limit_s = limit_s
        self.clear()

    def clear(self) -> None:
        """Data have come, or nothing is suspected any more."""
        self._since: float | None = None
        self._token: str | None = None
        self._looks = 0
        self._look_at = 0.0
        self._asking = False
        self._moved_at: float | None = None
        self._blind = True
        self.subject = ""
        """Wire name of the topic that is looked at."""

    def suspect(self, now: float, subject: str) -> None:
        """The connection is suspected; `subject`: the topic to look at, kept until `clear`."""
        if self._since is None:
            self._since = self._look_at = now
            self.subject = subject

    @property
    def suspected(self) -> bool:
        """Whether evidence is being collected."""
        return self._since is not None

    def wants_look(self, now: float) -> bool:
        """Whether to ask by REST now; True once for each look."""
        if self._since is None or self._asking or self._moved_at is not None or now < self._look_at:
            return False
        self._asking = True
        return True

    def answered(self, token: str | None, now: float) -> None:
        """What a look showed: text that differs if the topic has moved; None: it could not be read."""
        if self._since is None or not self._asking:
            return
        self._asking = False
        if token is not None:
            if self._token is not None and token != self._token:
                self._moved_at = now
            self._token = token
            self._blind = False
        self._look_at = now + min(self._limit_s / 2.0 * 2.0 ** min(self._looks, 10), LOOK_AGAIN_MAX_S)
        self._looks += 1

    def verdict(self, now: float, silent_s: float, *, resting: bool) -> str:
        """Why the connection is dead, "" as long as that is not known.

        Args:
            now: monotonic seconds.
            silent_s: seconds since the suspected topics brought data.
            resting: all of them may rest, so their silence alone says little.
        """
        if self._since is None or silent_s < self._limit_s:
            return ""
        if self._moved_at is not None and now - self._moved_at >= GRACE_S:
            return f"REST shows that {self.subject} has moved meanwhile"
        factor = BLIND_RESTING_FACTOR if resting else BLIND_FACTOR
        if self._blind and silent_s >= factor * self._limit_s:
            return "and nothing tells whether the market is quiet"
        return ""
