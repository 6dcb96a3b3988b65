"""Which connections are sent which stream."""

from __future__ import annotations

import asyncio

from foxtrot_workers.simulator.server.peer import Peer

__all__ = ["Subscriptions"]


class Subscriptions:
    """The subscribers of each stream, and the streams of each connection."""

    def __init__(self) -> None:
        self.peers: dict[str, list[Peer]] = {}
        """By stream, in the order of subscription; streams without subscribers are not in it."""
        self.any = asyncio.Event()
        """Set while there is a subscriber of anything."""
        self._streams: dict[int, frozenset[str]] = {}

    def open(self, peer: Peer) -> None:
        """Note a new connection, which has no subscriptions yet."""
        self._streams[peer.number] = frozenset()

    def close(self, peer: Peer) -> None:
        """Forget a connection and its subscriptions."""
        self.clear(peer)
        self._streams.pop(peer.number, None)

    def clear(self, peer: Peer) -> None:
        """End all subscriptions of a connection."""
        if peer.number in self._streams:
            self.update(peer, frozenset())

    def of(self, peer: Peer) -> frozenset[str]:
        """Return the streams of a connection."""
        return self._streams.get(peer.number, frozenset())

    def update(self, peer: Peer, streams: frozenset[str]) -> bool:
        """Set the streams of a connection; returns whether they have changed."""
        before = self._streams.get(peer.number, frozenset())
        if streams == before:
            return False
        for stream in before - streams:
            left = [other for other in self.peers[stream] if other is not peer]
            if left:
                self.peers[stream] = left
            else:
                del self.peers[stream]
        for stream in streams - before:
            self.peers[stream] = [*self.peers.get(stream, ()), peer]
        self._streams[peer.number] = streams
        if self.peers:
            self.any.set()
        else:
            self.any.clear()
        return True
