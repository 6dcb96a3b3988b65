"""A closed link accepts messages without an error and counts them."""

from __future__ import annotations

from pathlib import Path

import zmq

from foxtrot_protocol.commands import Done
from foxtrot_workers.child.command_link import CommandLink


async def test_sending_after_close_is_counted_and_raises_nothing(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    link = CommandLink(context, f"ipc://{tmp_path}/c", "w#1", lambda _: None)
    link.send(Done("w", 1, 1, ""))
    assert link.dropped_total == 0
    link.close(0)
    link.close(0)
    assert link.is_closed()
    link.send(Done("w", 1, 2, ""))
    assert link.dropped_total == 1
    context.destroy(linger=0)
