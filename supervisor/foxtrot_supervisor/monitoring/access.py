"""Who may read the metrics: checks of host, token and method. Pure."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from typing import Final

from msgspec import Struct

__all__ = ["TOKEN_CHARS_MAX", "TOKEN_CHARS_MIN", "Access", "Refusal", "hosts_of"]

TOKEN_CHARS_MIN: Final = 32
TOKEN_CHARS_MAX: Final = 512
"""Characters of a token. 32 hexadecimal digits are 128 bits, which nobody guesses."""


class Refusal(Struct, frozen=True):
    """Why a request is not served; says nothing of the run."""

    status: int
    reason: str


class Access:
    """What is served at an address.

    Args:
        hosts: accepted values of the header Host; None: any (the address stands for every one of the machine).
        token: that clients must send; None: none.
    """

    def __init__(self, hosts: frozenset[str] | None, token: str | None) -> None:
        self._hosts = hosts
        self._digest = None if token is None else _digest(token)

    def refuse(self, method: str, host: str, authorization: str) -> Refusal | None:
        """Return why a request with these headers is refused, None if it is served."""
        # against pages that reach this address under a name of their own (DNS rebinding)
        if self._hosts is not None and host.lower() not in self._hosts:
            return Refusal(403, "this host is not served")
        if self._digest is not None:
            scheme, _, sent = authorization.partition(" ")
            # digests have one length, so that the comparison takes the same time whatever was sent
            if not hmac.compare_digest(_digest(sent.strip()), self._digest) or scheme.lower() != "bearer":
                return Refusal(401, "a token is needed: Authorization: Bearer")
        if method not in ("GET", "HEAD"):
            return Refusal(405, "only GET and HEAD are served")
        return None


def hosts_of(host: str, port: int) -> frozenset[str] | None:
    """Return the values of the header Host for an address that is listened to; None: every address of the machine."""
    names = [host]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        is_loopback = host == "localhost"
    else:
        if address.is_unspecified:
            return None
        is_loopback = address.is_loopback
    if is_loopback:
        names += ["localhost", "127.0.0.1", "::1"]
    written = {f"[{name}]" if ":" in name else name.lower() for name in names}
    found = {f"{name}:{port}" for name in written}
    return frozenset(found | written if port == 80 else found)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
