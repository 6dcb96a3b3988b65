"""Client of the operator interface for asyncio: one request at a time; errors as of `control_client`."""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType

from foxtrot_protocol.control import LINE_BYTES_MAX, Reply, Request, encode_line
from foxtrot_protocol.endpoints import operator_path
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.client.answers import read_reply
from foxtrot_supervisor.client.trust import NotRunning, check_peer

__all__ = ["AsyncControlClient", "open_trusted"]


async def open_trusted(path: str, limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a socket of a run directory; `limit`: longest line, in bytes.

    Raises `NotRunning` where none listens, `NotTrusted` where another user's process does.
    """
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        end.setblocking(False)
        await asyncio.get_running_loop().sock_connect(end, path)
        check_peer(end, path)
        return await asyncio.open_unix_connection(sock=end, limit=limit)
    except OSError as error:
        end.close()
        raise NotRunning(path, error.strerror or str(error)) from None
    except BaseException:
        end.close()
        raise


class AsyncControlClient:
    """A connection to the supervisor of one run directory; use it as an async context manager."""

    def __init__(self, run_dir: str) -> None:
        self._path = operator_path(run_dir)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, request: Request, timeout_s: float | None = None) -> Reply:
        """Send `request` and wait for its reply, at most `timeout_s` seconds (None: unlimited), then TimeoutError.

        Connects if needed. After an error the connection is closed: the next request opens another one.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._request(request)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def __aenter__(self) -> AsyncControlClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        await asyncio.sleep(0)  # an aborted transport closes its socket in the next turn

    async def _request(self, request: Request) -> Reply:
        if self._streams is None:
            self._streams = await open_trusted(self._path, LINE_BYTES_MAX)
        reader, writer = self._streams
        try:
            writer.write(encode_line(request))
            await writer.drain()
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise MalformedMessage(f"reply longer than {LINE_BYTES_MAX} bytes") from None
        except (OSError, asyncio.IncompleteReadError):
            raise NotRunning(self._path, "it ended without an answer") from None
        return read_reply(line)
