"""Identities of a nats-server in operator mode: operator, accounts and a user, signed by keys that are made here.

Facts: NATS documentation, "JWTs" and "Decentralized JWT Authentication/Authorization"; format of keys: nkeys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

__all__ = ["NatsIdentities", "make_identities"]

_SEED = 18 << 3
_OPERATOR, _ACCOUNT, _USER = 14 << 3, 0, 20 << 3

_LIMITS = {
    "subs": -1,
    "data": -1,
    "payload": -1,
    "imports": -1,
    "exports": -1,
    "wildcards": True,
    "conn": -1,
    "leaf": -1,
}
_STORAGE = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}


@dataclass(frozen=True)
class NatsIdentities:
    """Lines for the server's configuration, and the content of the user's file of credentials."""

    lines: list[str]
    credentials: str


class _Key:
    def __init__(self, prefix: int) -> None:
        import nkeys

        raw = bytes((_SEED | prefix >> 5, (prefix & 31) << 3)) + os.urandom(32)
        raw += binascii.crc_hqx(raw, 0).to_bytes(2, "little")
        self.seed = base64.b32encode(raw).rstrip(b"=")
        self.pair = nkeys.from_seed(self.seed)
        self.public: str = self.pair.public_key.decode()


def make_identities() -> NatsIdentities:
    """Return an operator with an account that may use JetStream, a system account, and a user of the first."""
    operator, account, system, user = _Key(_OPERATOR), _Key(_ACCOUNT), _Key(_ACCOUNT), _Key(_USER)
    feed = _signed(operator, account, "feed", {"type": "account", "limits": {**_LIMITS, **_STORAGE}})
    lines = [
        f"operator: {_signed(operator, operator, 'operator', {'type': 'operator'})}",
        f"system_account: {system.public}",
        "resolver: MEMORY",
        "resolver_preload: {",
        f"  {account.public}: {feed}",
        f"  {system.public}: {_signed(operator, system, 'system', {'type': 'account', 'limits': _LIMITS})}",
        "}",
    ]
    rights = {"type": "user", "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1}
    credentials = (
        f"-----BEGIN NATS USER JWT-----\n{_signed(account, user, 'sink', rights)}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    return NatsIdentities(lines, credentials)


def _signed(by: _Key, subject: _Key, name: str, facts: dict[str, Any]) -> str:
    claims: dict[str, Any] = {"iat": 1_700_000_000, "iss": by.public, "name": name, "sub": subject.public}
    claims["nats"] = {**facts, "version": 2}
    claims["jti"] = base64.b32encode(hashlib.sha256(json.dumps(claims).encode()).digest()).decode().rstrip("=")
    signed = ".".join(_text(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, claims))
    return f"{signed}.{_text(by.pair.sign(signed.encode()))}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
