"""The floor of the benchmark: one process that receives frames by picows, parses nothing, and calls the handler.

No Python program that receives each frame by the same library and calls a handler for it can be faster. A start target
for `bench`, fed by the same load server.
"""

from __future__ import annotations

import asyncio
import os

import msgspec
import picows

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Stop, ToChild
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import FeedSettings, decode_settings
from foxtrot_workers.benchmark.counting_handler import JOB_VARIABLE, CountingHandler, Job

__all__ = ["run"]


async def run(context: ChildContext) -> int:
    """Start target of the process that holds the connection and runs the handler."""
    settings = decode_settings(context.spec.settings, FeedSettings)
    handler = CountingHandler(msgspec.json.decode(os.environ[JOB_VARIABLE], type=Job))
    stopping = asyncio.Event()

    def on_command(command: ToChild) -> None:
        if isinstance(command, Stop):
            stopping.set()

    context.on_command(on_command)
    transport, _ = await picows.ws_connect(lambda: _Listener(handler), settings.url or "")
    context.ready()
    await stopping.wait()
    transport.disconnect()
    await transport.wait_disconnected()
    handler.close()
    return ChildExit.CLEAN


class _Listener(picows.WSListener):
    def __init__(self, handler: CountingHandler) -> None:
        self._count = handler.count_event

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        self._count(frame.get_payload_as_bytes())
