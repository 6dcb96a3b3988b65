"""What a connection needs of the server that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from foxtrot_workers.simulator.server.faults import FaultScript
from foxtrot_workers.simulator.server.ledger import Ledger
from foxtrot_workers.simulator.venues.answer import Answer
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from foxtrot_workers.simulator.wire.http_wire import HttpRequest

if TYPE_CHECKING:
    from foxtrot_workers.simulator.server.peer import Outgoing, Peer

__all__ = ["Host"]


class Host(Protocol):
    """The server, as its connections see it."""

    limits: ExchangeLimits
    compression: bool
    faults: FaultScript[Outgoing]
    ledger: Ledger

    def connected(self, peer: Peer) -> None:
        """A TCP connection was accepted."""

    def disconnected(self, peer: Peer, cause: str) -> None:
        """A TCP connection is gone, for `cause`."""

    def refusal(self, request: HttpRequest) -> Answer | None:
        """Return the answer that refuses this handshake; None accepts it."""

    def upgraded(self, peer: Peer, request: HttpRequest) -> None:
        """A handshake was accepted: the server gives the peer its number and session."""

    def message(self, peer: Peer, data: bytes) -> None:
        """The client sent a message."""

    def forget(self, peer: Peer, topic: str) -> None:
        """End the subscriptions of a connection whose stream names contain `topic`."""

    def closing(self, peer: Peer) -> None:
        """A WebSocket connection is closing: no data is sent on it from now on."""

    async def answer(self, request: HttpRequest) -> Answer:
        """Return the answer to one HTTP request."""
