"""Addresses of stores as URLs, without credentials. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from foxtrot_supervisor.config.values import is_loopback

__all__ = ["StoreAddress", "parse_address"]


class StoreAddress(Struct, frozen=True):
    """Where a store listens."""

    host: str
    """Name or address; the path of a socket file if it begins with "/"."""
    port: int
    """0 for a socket file."""
    tls: bool
    path: str
    """What follows host and port, without the first "/"."""

    @property
    def is_local(self) -> bool:
        """Whether what is sent there stays on this machine."""
        return self.host.startswith("/") or is_loopback(self.host)


def parse_address(text: str, schemes: Mapping[str, bool], default_port: int) -> StoreAddress:
    """Return the address in a URL such as ``redis://127.0.0.1:6379/0``.

    `schemes`: allowed schemes, and whether each means TLS. A scheme ``unix`` is followed by the path of a socket file.
    Raises ValueError with a reason that never contains a password.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in schemes:
        raise ValueError("must begin with " + " or ".join(f"{scheme}://" for scheme in schemes))
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not contain a user or a password: set user and password_file")
    if parts.query or parts.fragment or not text.isprintable() or " " in text:
        raise ValueError("must be only a scheme, a host, a port and a path")
    if parts.scheme == "unix":
        if parts.netloc or len(parts.path) < 2:
            raise ValueError("must name a socket file, as unix:///run/redis.sock")
        return StoreAddress(unquote(parts.path), 0, False, "")
    if not parts.hostname:
        raise ValueError("names no host")
    if port == 0:
        raise ValueError("port 0 is no address")
    return StoreAddress(parts.hostname, port or default_port, schemes[parts.scheme], parts.path.removeprefix("/"))
