"""What picows calls for each frame: collects whole data frames, and leaves all others to its owner.

The compiled form is called for each frame without Python in between: a third of a worker's CPU at full speed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import picows

from foxtrot_protocol import compiled
from foxtrot_workers.websocket.client import BURST_FRAMES_MAX

__all__ = ["CONTROL_BYTES_MAX", "BurstListener", "Owner", "PureBurstListener"]

CONTROL_BYTES_MAX = 125
"""Payload of a ping, pong or close frame (RFC 6455, section 5.5)."""


class Owner(Protocol):
    """Takes what a listener has collected, and the frames that it does not collect."""

    def hand_over(self, last: bool, /) -> None:
        """Take `burst`; `last`: no further frame was received with it."""

    def on_other_frame(self, transport: picows.WSTransport, frame: picows.WSFrame, /) -> None:
        """Take a control frame, a short or compressed one, or a fragment; `frame` is valid during the call only."""

    def on_disconnected(self) -> None:
        """The connection has ended."""


class PureBurstListener(picows.WSListener):
    """Collects the frames of one connection.

    Args:
        owner: takes over from here.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.hand_over = owner.hand_over
        self.burst: list[bytes] = []
        """Frames that are not handed over yet; the owner replaces the list."""
        self.fragmented = False
        """Whether a fragmented message has begun and not ended: set by the owner, which takes all frames meanwhile."""
        self.behind = False
        """Frames are only collected: set by the owner, which takes them when it can."""
        self.tail_bytes = -1
        """Bytes that picows had read behind a frame that ended a burst, or was left to the owner."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        # A payload longer than a control frame may have (picows checks that) is data. Reading the type would take
        # as long as all the rest, since picows looks up an enum; each other attribute takes a tenth of this call. The
        # only framing error missed is a stray continuation of such length, which the adapter then rejects or parses.
        payload = frame.get_payload_as_bytes()
        if len(payload) > CONTROL_BYTES_MAX and frame.fin and not frame.rsv1 and not self.fragmented:
            burst = self.burst
            burst.append(payload)
            # while the owner is behind, the burst stays long: no call for each frame then
            if (frame.last_in_buffer or len(burst) >= BURST_FRAMES_MAX) and not self.behind:
                self.tail_bytes = frame.tail_size
                self._owner.hand_over(bool(frame.last_in_buffer))
        else:
            self.tail_bytes = frame.tail_size
            self._owner.on_other_frame(transport, frame)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._owner.on_disconnected()


if TYPE_CHECKING:
    BurstListener = PureBurstListener
else:
    _native = compiled.load("foxtrot_workers.websocket._burst_listener")
    BurstListener = PureBurstListener if _native is None else _native.BurstListener
