"""A server that accepts connections and never says a word."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

__all__ = ["mute_server"]


@contextlib.asynccontextmanager
async def mute_server() -> AsyncIterator[int]:
    """Its port. Whatever it has accepted is closed when this is left, and seen closed before its loop is gone."""
    accepted: list[tuple[asyncio.Task[None] | None, asyncio.StreamWriter]] = []

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append((asyncio.current_task(), writer))
        with contextlib.suppress(OSError):
            await reader.read()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task, writer in accepted:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            if task is not None:
                await task
        await server.wait_closed()
