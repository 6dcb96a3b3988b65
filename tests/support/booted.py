"""Start targets for the real boot, each of which goes wrong in one way: ``tests.support.booted:hungry``."""

from __future__ import annotations

import asyncio
import os

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Stop, ToChild

_STEP_BYTES = 8 * 1024 * 1024


async def steady(context: ChildContext) -> int:
    """Serve until a stop is requested."""
    stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_command(command: ToChild) -> None:
        if isinstance(command, Stop) and not stopped.done():
            stopped.set_result(None)

    context.on_command(on_command)
    context.ready()
    await stopped
    return 0


async def hungry(context: ChildContext) -> int:
    """Wants more and more memory."""
    context.ready()
    kept = []
    while True:
        kept.append(b"x" * _STEP_BYTES)
        await asyncio.sleep(0)


async def hungry_callback(context: ChildContext) -> int:
    """Wants it where an event loop would only log that there is none."""
    context.ready()
    kept: list[bytes] = []

    def more() -> None:
        kept.append(b"x" * _STEP_BYTES)
        asyncio.get_running_loop().call_soon(more)

    more()
    await asyncio.get_running_loop().create_future()
    return 0


async def aborting(context: ChildContext) -> int:
    """As a library in C that gets no memory."""
    context.ready()
    os.abort()
