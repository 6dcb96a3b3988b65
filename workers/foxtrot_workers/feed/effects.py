"""What `connection_life` decides: effects that the worker carries out. Pure."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from foxtrot_protocol.events import FeedState
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.adapter.notices import RestRequest

__all__ = [
    "Answer",
    "AskMaintenance",
    "FeedEffect",
    "Leave",
    "Look",
    "Online",
    "Ping",
    "Rotate",
    "Send",
    "TopicChanged",
]


class Send(Struct, frozen=True):
    """Send this text now."""

    text: str


class Ping(Struct, frozen=True):
    """Send a ping frame now."""


class Leave(Struct, frozen=True):
    """End this connection, and the worker with it."""

    code: ChildExit
    cause: str


class Rotate(Struct, frozen=True):
    """Ask the supervisor to replace this connection; it continues until then."""

    reason: str


class Online(Struct, frozen=True):
    """Report READY: data flow, or every subscription is acknowledged."""


class TopicChanged(Struct, frozen=True):
    """Publish the new state of a topic; `age_s`: seconds since its last data, or since it was requested."""

    topic: Topic
    state: FeedState
    age_s: float
    reason: str = ""


class Look(Struct, frozen=True):
    """Fetch this by REST and pass the answer to `ConnectionLife.looked`."""

    request: RestRequest


class AskMaintenance(Struct, frozen=True):
    """Ask the exchange whether it is in maintenance, and pass the answer to `ConnectionLife.maintenance_answered`."""


class Answer(Struct, frozen=True):
    """Answer an operator's request; `error` is "" on success."""

    request_id: int
    error: str


FeedEffect: TypeAlias = Send | Ping | Leave | Rotate | Online | TopicChanged | Look | AskMaintenance | Answer
