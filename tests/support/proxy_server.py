"""A small HTTP proxy on loopback: CONNECT tunnels and absolute-form requests, in plain text or TLS."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

__all__ = ["ProxyServer", "proxy_server"]


class ProxyServer:
    """What the proxy was asked for; `refuse_with` answers every request with that status."""

    def __init__(self, port: int, scheme: str) -> None:
        self.url = f"{scheme}://localhost:{port}"
        self.tunnels: list[str] = []
        self.forwarded: list[str] = []
        self.refuse_with = 0
        self.credentials = ""


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


async def _serve(proxy: ProxyServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if proxy.credentials:
        wanted = "Basic " + base64.b64encode(proxy.credentials.encode()).decode("ascii")
        if headers.get("proxy-authorization") != wanted:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
    if proxy.refuse_with:
        writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % proxy.refuse_with)
        return
    if method == "CONNECT":
        proxy.tunnels.append(target)
        host, _, port = target.rpartition(":")
        there, back = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        proxy.forwarded.append(target)
        parts = urlsplit(target)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        there, back = await asyncio.open_connection(parts.hostname, parts.port or 80)
        back.write("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1"))
    try:
        await asyncio.gather(_pump(reader, back), _pump(there, writer))
    finally:
        back.close()


@contextlib.asynccontextmanager
async def proxy_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[ProxyServer]:
    """A proxy that serves until the context is left; `tls`: it is an ``https://`` proxy."""
    tasks: set[asyncio.Task[None] | None] = set()
    proxy: ProxyServer

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            await _serve(proxy, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    proxy = ProxyServer(int(server.sockets[0].getsockname()[1]), "http" if tls is None else "https")
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
