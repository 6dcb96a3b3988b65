"""Sink of kind ``zeromq``: publishes every event on a PUB socket (docs/sinks.md describes the format).

Nobody waits for a subscriber: one that is too slow misses messages. It sees that in the sequence of each topic; how
often a subscriber's queue was full is counted here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from foxtrot_protocol.endpoints import IPC_PATH_BYTES_MAX
from foxtrot_supervisor.config.setting import Range, Setting
from foxtrot_supervisor.config.values import is_loopback
from foxtrot_supervisor.sinks.sink import SinkContext, SinkMisconfigured, SinkRow, SinkUnavailable
from foxtrot_supervisor.system.secret_file import SecretRefused, read_secret

__all__ = ["TOPICS_MAX", "YIELD_ROWS", "ZeromqSettings", "ZeromqTap", "encode_row", "topic_of"]

TOPICS_MAX: Final = 100_000
"""Topics whose sequences are remembered; beyond that all begin again."""

YIELD_ROWS: Final = 200
"""Messages sent before other tasks run."""

_KEY_CHARACTERS: Final = 40
"""Length of a CURVE key in Z85."""

_KEYS_MAX: Final = 1000

_ZAP_DOMAIN: Final = "foxtrot"


class ZeromqSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Own keys of kind ``zeromq``."""

    endpoint: Annotated[
        str | None,
        Setting(
            description="Where subscribers connect.",
            allowed="`ipc://PATH`, `tcp://ADDRESS:PORT`",
            unset="`ipc://RUN_DIR/NAME.ipc`",
            example="tcp://127.0.0.1:5600",
            more="A tcp address beyond this machine needs `secret_key_file` and `client_keys_file`.",
        ),
    ] = None
    format: Annotated[Literal["msgpack", "json"], Setting(description="Encoding of an event.")] = "msgpack"
    queue_rows: Annotated[
        int,
        Setting(
            description="Messages that wait for one subscriber; beyond that it misses some.",
            range=Range(1, 10_000_000),
        ),
    ] = 100_000
    secret_key_file: Annotated[
        str | None,
        Setting(
            description="File with the CURVE secret key of the socket (Z85, 40 characters), of mode 0600.",
            unset="no encryption",
            example="/etc/foxtrot/tap.key",
        ),
    ] = None
    client_keys_file: Annotated[
        str | None,
        Setting(
            description="File with the CURVE public keys of the clients that may connect, one a line.",
            unset="every client that knows the public key of the socket may connect",
            example="/etc/foxtrot/tap-clients",
        ),
    ] = None


class ZeromqTap:
    """A PUB socket; rows count as delivered once they are handed to it."""

    settings: ClassVar[type[Struct]] = ZeromqSettings

    def __init__(self, settings: ZeromqSettings, context: SinkContext) -> None:
        self._settings = settings
        self._endpoint = settings.endpoint or f"ipc://{context.run_dir}/{context.name}.ipc"
        self._sequences: dict[bytes, int] = {}
        self._zmq: Any = None
        self._context: Any = None
        self._socket: Any = None
        self._authenticator: Any = None
        self._sent_total = 0
        self._slow_total = 0

    @staticmethod
    def problems(settings: ZeromqSettings) -> list[tuple[str, str]]:
        """Return what is wrong beyond types."""
        found = []
        if settings.endpoint is not None and (reason := _endpoint_reason(settings.endpoint)):
            found.append(("endpoint", reason))
        elif settings.endpoint is not None and not _is_local(settings.endpoint):
            found += [
                (key, f"is missing: {settings.endpoint} can be reached by others")
                for key in ("secret_key_file", "client_keys_file")
                if getattr(settings, key) is None
            ]
        if settings.client_keys_file is not None and settings.secret_key_file is None:
            found.append(("client_keys_file", "needs secret_key_file"))
        for key in ("secret_key_file", "client_keys_file"):
            path = getattr(settings, key)
            if path is not None and not os.path.isfile(path):
                found.append((key, f"there is no file {path}"))
        return found

    async def open(self) -> None:
        """Bind the socket; raises `SinkUnavailable` or `SinkMisconfigured`."""
        import zmq
        import zmq.asyncio

        self._zmq = zmq
        self._context = zmq.asyncio.Context()
        self._context.linger = 0
        socket = self._socket = zmq.Context(self._context).socket(zmq.XPUB)
        socket.setsockopt(zmq.SNDHWM, self._settings.queue_rows)
        socket.setsockopt(zmq.XPUB_NODROP, 1)
        try:
            self._secure(socket)
            if self._endpoint.startswith("ipc://"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._endpoint.removeprefix("ipc://"))
            socket.bind(self._endpoint)
            if self._endpoint.startswith("ipc://"):
                os.chmod(self._endpoint.removeprefix("ipc://"), 0o600)
        except SecretRefused as refusal:
            await self.close()
            raise SinkMisconfigured(str(refusal)) from None
        except (OSError, zmq.ZMQError) as error:
            await self.close()
            raise SinkUnavailable(f"{self._endpoint}: {error.strerror or error}") from None

    async def write(self, rows: Sequence[SinkRow]) -> int:
        """Publish `rows`."""
        for place, row in enumerate(rows):
            topic = topic_of(row)
            self._send(topic, encode_row(row, self._next_of(topic), self._settings.format))
            if place % YIELD_ROWS == YIELD_ROWS - 1:
                await asyncio.sleep(0)
        self._take_subscriptions()
        return rows[-1].number

    async def flush(self) -> int:
        """Do nothing: what is sent is sent."""
        self._take_subscriptions()
        return 0

    async def close(self) -> None:
        """Close the socket; what waits for subscribers is dropped."""
        if self._authenticator is not None:
            self._authenticator.stop()
        if self._socket is not None:
            self._socket.close(0)
            if self._endpoint.startswith("ipc://"):
                with contextlib.suppress(OSError):
                    os.unlink(self._endpoint.removeprefix("ipc://"))
        if self._context is not None:
            self._context.term()
        self._authenticator = self._socket = self._context = None

    def counts(self) -> dict[str, int]:
        """Return messages sent, and how often a subscriber's queue was full: from then on it misses some."""
        return {"sent_total": self._sent_total, "slow_total": self._slow_total}

    def _next_of(self, topic: bytes) -> int:
        sequence = self._sequences.get(topic, 0) + 1
        if sequence == 1 and len(self._sequences) >= TOPICS_MAX:
            self._sequences.clear()
        self._sequences[topic] = sequence
        return sequence

    def _send(self, topic: bytes, body: bytes) -> None:
        zmq, socket = self._zmq, self._socket
        self._sent_total += 1
        try:
            socket.send_multipart((topic, body), zmq.DONTWAIT)
        except zmq.Again:
            # a queue is full: again, to the other subscribers only; libzmq leaves that one out until it has room
            self._slow_total += 1
            socket.setsockopt(zmq.XPUB_NODROP, 0)
            socket.send_multipart((topic, body), zmq.DONTWAIT)
            socket.setsockopt(zmq.XPUB_NODROP, 1)

    def _take_subscriptions(self) -> None:
        """Discard what an XPUB socket says of subscriptions: nobody asks for it."""
        with contextlib.suppress(self._zmq.Again):
            for _ in range(1000):
                self._socket.recv(self._zmq.DONTWAIT)

    def _secure(self, socket: Any) -> None:
        path = self._settings.secret_key_file
        if path is None:
            return
        import zmq.auth.asyncio

        secret = read_secret(path, least=_KEY_CHARACTERS, most=_KEY_CHARACTERS).encode()
        clients = _client_keys(self._settings.client_keys_file)
        self._authenticator = authenticator = zmq.auth.asyncio.AsyncioAuthenticator(self._context)
        authenticator.start()
        authenticator.configure_curve_callback(_ZAP_DOMAIN, _Clients(clients))
        socket.curve_secretkey = secret
        socket.curve_publickey = self._zmq.curve_public(secret)
        socket.curve_server = True
        socket.zap_domain = _ZAP_DOMAIN.encode()


class _Clients:
    """Which clients may connect; `keys` None: all."""

    def __init__(self, keys: frozenset[bytes] | None) -> None:
        self._keys = keys

    def callback(self, domain: str, key: bytes) -> bool:
        """Return whether a client with this public key may connect."""
        return self._keys is None or key in self._keys


def topic_of(row: SinkRow) -> bytes:
    """Return the topic of a row: ``trade.BTCUSDT.BINANCE``; subscriptions are prefixes of it."""
    return f"{row.kind}.{row.symbol}.{row.exchange}".encode()


def encode_row(row: SinkRow, sequence: int, form: str) -> bytes:
    """Return the body of a message: one map. `sequence`: of its topic, from 1, without holes for a quick subscriber."""
    body: Mapping[str, Any] = {
        "kind": row.kind,
        "sequence": sequence,
        "number": row.number,
        "key": row.key,
        "connection": row.connection,
        "type": type(row.event).__name__,
        **msgspec.structs.asdict(row.event),
    }
    return msgspec.json.encode(body) if form == "json" else msgspec.msgpack.encode(body)


def _endpoint_reason(endpoint: str) -> str | None:
    if endpoint.startswith("ipc://"):
        path = endpoint.removeprefix("ipc://")
        if not os.path.isabs(path) or len(path.encode()) > IPC_PATH_BYTES_MAX:
            return f'"{endpoint}": needs an absolute path of at most {IPC_PATH_BYTES_MAX} bytes'
        return None
    try:
        parts = urlsplit(endpoint)
        if parts.scheme == "tcp" and parts.hostname and parts.port and not parts.path:
            return None
    except ValueError:
        pass
    return f'"{endpoint}" is neither ipc://PATH nor tcp://ADDRESS:PORT'


def _is_local(endpoint: str) -> bool:
    return endpoint.startswith("ipc://") or is_loopback(urlsplit(endpoint).hostname or "")


def _client_keys(path: str | None) -> frozenset[bytes] | None:
    """Return the public keys in a file, None without one; raises `SecretRefused`."""
    if path is None:
        return None
    try:
        with open(path, encoding="ascii") as file:
            lines = [line.strip() for line in file.read((_KEY_CHARACTERS + 2) * _KEYS_MAX).splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SecretRefused(f"{path}: {error}") from None
    keys = [line for line in lines if line and not line.startswith("#")]
    for key in keys:
        if len(key) != _KEY_CHARACTERS:
            raise SecretRefused(f"{path}: a key has {_KEY_CHARACTERS} characters, not {len(key)}")
    return frozenset(key.encode() for key in keys)
