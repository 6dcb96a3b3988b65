"""The floor: every frame is received and counted, none is parsed."""

from __future__ import annotations

from typing import Any

from foxtrot_workers.benchmark.bare_loop import _Listener


class Handler:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def count_event(self, event: Any) -> None:
        self.seen.append(event)


class Frame:
    def get_payload_as_bytes(self) -> bytes:
        return b"no json"


def test_the_handler_is_called_for_each_frame_with_its_bytes() -> None:
    handler: Any = Handler()
    listener = _Listener(handler)
    frame: Any = Frame()
    transport: Any = None
    for _ in range(3):
        listener.on_ws_frame(transport, frame)
    assert handler.seen == [b"no json"] * 3
