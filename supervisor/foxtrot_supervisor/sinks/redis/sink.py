"""The sink that appends rows to Redis Streams, each row once: by its number, and for a time by its key."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from msgspec import Struct

from foxtrot_supervisor.sinks.redis.durability import Durability, warnings_of
from foxtrot_supervisor.sinks.redis.script import APPEND, HOLE, Chunk, chunks_of
from foxtrot_supervisor.sinks.redis.settings import RedisSettings
from foxtrot_supervisor.sinks.sink import (
    RefusedRow,
    SinkContext,
    SinkMisconfigured,
    SinkRefuses,
    SinkRow,
    SinkUnavailable,
)
from foxtrot_supervisor.sinks.stores.access import access_problems, password_of, plain_text_problem
from foxtrot_supervisor.sinks.stores.address import StoreAddress, parse_address
from foxtrot_supervisor.sinks.stores.kept import KeptNumber, writer_name
from foxtrot_supervisor.sinks.stores.library import is_installed, load_library

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisSink"]

IN_FLIGHT_BYTES: Final = 4 * 1024 * 1024
"""Bytes of chunks that are sent before their answers are awaited."""

FLUSH_POLL_S: Final = 0.05

REASON_CHARS_MAX: Final = 300

PREFIX_CHARS_MAX: Final = 100

NEEDS: Final = "needs redis: pip install 'foxtrot-supervisor[redis]'"

_SCHEMES: Final = {"redis": False, "rediss": True, "unix": False}
_PORT: Final = 6379


class RedisSink:
    """Appends chunks of rows by a script, which leaves out what its streams hold already.

    What `write` returns is in Redis' append-only file, as far as the kernel has it; without such a file, in its memory.
    """

    settings: ClassVar[type[Struct]] = RedisSettings

    def __init__(self, settings: RedisSettings, context: SinkContext) -> None:
        self._settings = settings
        self._context = context
        self._address = parse_address(settings.url, _SCHEMES, _PORT)
        self._client: Redis | None = None
        self._writer = ""
        self._acknowledged = KeptNumber(Path(context.directory) / "redis-acknowledged")
        """The highest row number that was ever returned as durable."""
        self._script = ""
        self._written = 0
        """Last row that was appended over this connection; 0: none yet."""
        self._durability = Durability()
        self._tells_persistence = True
        self._counts = {
            "rows_total": 0,
            "duplicates_total": 0,
            "refused_total": 0,
            "losses_total": 0,
            "not_persistent": 0,
        }

    @staticmethod
    def problems(settings: Struct) -> Sequence[tuple[str, str]]:
        """Return key and reason of each mistake in the settings."""
        assert isinstance(settings, RedisSettings)
        found = access_problems(settings)
        if not is_installed("redis"):
            found.append(("kind", NEEDS))
        try:
            address = parse_address(settings.url, _SCHEMES, _PORT)
            _database(address)
        except ValueError as error:
            found.append(("url", str(error)))
        else:
            refusal = plain_text_problem(address, settings, "rediss://")
            if refusal is not None:
                found.append(("url", refusal))
        prefix = settings.prefix
        if not 0 < len(prefix) <= PREFIX_CHARS_MAX or not prefix.isascii() or not prefix.isprintable() or " " in prefix:
            found.append(("prefix", f"must be 1 to {PREFIX_CHARS_MAX} printable ASCII characters without spaces"))
        return found

    async def open(self) -> None:
        """Connect, load the script, and say what makes this Redis lose entries."""
        library = await load_library("redis.asyncio", NEEDS)
        self._writer = writer_name(Path(self._context.directory))
        self._written = 0
        self._durability = Durability()
        with _errors():
            client: Redis = library.Redis(**self._parameters())
            self._client = client
            self._script = str(await client.script_load(APPEND))
        await self._warn(client)

    async def write(self, rows: Sequence[SinkRow]) -> int:
        """Append the rows; return up to which number Redis' file has them."""
        client = self._client
        assert client is not None, "open comes first"
        chunks, refused = chunks_of(rows, self._settings.prefix, self._settings.streams == "symbol")
        by_number = {row.number: row for row in rows}
        if not self._written:
            self._durability.durable = rows[0].number - 1
            with _errors():
                await self._compare(client)
        for group in _groups(chunks):
            with _errors():
                refused += await self._append(client, group, by_number)
        if refused:
            self._counts["refused_total"] += len(refused)
            raise SinkRefuses(sorted(refused, key=lambda each: each[0].number))
        self._durability.answered(rows[-1].number, time.monotonic())
        return await self._look(client)

    async def flush(self) -> int:
        """Wait, at most some seconds, until Redis' file has all that was written."""
        client = self._client
        assert client is not None, "open comes first"
        while True:
            durable = await self._look(client)
            if self._durability.is_complete:
                return durable
            await asyncio.sleep(FLUSH_POLL_S)

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):  # a connection that broke may say so again
                await client.aclose()

    def counts(self) -> dict[str, int]:
        """Rows appended, there already, refused; how often Redis had lost rows; whether it keeps no file."""
        return dict(self._counts)

    def _parameters(self) -> dict[str, Any]:
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        settings, address = self._settings, self._address
        parameters: dict[str, Any] = {
            "db": _database(address),
            "username": settings.user,
            "password": password_of(settings),
            "socket_timeout": settings.timeout_s,
            "socket_connect_timeout": settings.timeout_s,
            "retry": Retry(NoBackoff(), 0),  # the sink's process repeats, with pauses
            "client_name": "foxtrot-supervisor",
            "single_connection_client": True,
        }
        if address.host.startswith("/"):
            return {**parameters, "unix_socket_path": address.host}
        parameters |= {"host": address.host, "port": address.port}
        if address.tls:
            parameters |= {
                "ssl": True,
                "ssl_cert_reqs": "required",
                "ssl_check_hostname": True,
                "ssl_ca_certs": settings.ca_file,
                "ssl_certfile": settings.cert_file,
                "ssl_keyfile": settings.key_file,
            }
        return parameters

    async def _warn(self, client: Redis) -> None:
        import redis.exceptions

        with _errors():
            try:
                persistence = await client.info("persistence")
                memory = await client.info("memory")
            except redis.exceptions.ResponseError as error:  # the user may not ask
                self._tells_persistence = False
                self._context.log.warning("sink_store_unknown", sink=self._context.name, reason=_reason(error))
                return
        self._counts["not_persistent"] = int(not persistence.get("aof_enabled"))
        for warning in warnings_of(persistence, memory):
            self._context.log.warning("sink_store_not_safe", sink=self._context.name, reason=warning)

    async def _compare(self, client: Redis) -> None:
        """Say which rows this Redis should have and has not: it went back in time, or it is another one."""
        found = await client.hget(f"{self._settings.prefix}:positions", self._writer)
        position, acknowledged = int(found or 0), self._acknowledged.value
        if position < acknowledged:
            self._counts["losses_total"] += 1
            self._context.log.error(
                "sink_store_lacks_rows",
                sink=self._context.name,
                first_row=position + 1,
                last_row=acknowledged,
                reason="Redis has lost rows that it had, or is another Redis",
            )

    async def _append(self, client: Redis, chunks: Sequence[Chunk], rows: dict[int, SinkRow]) -> list[RefusedRow]:
        settings = self._settings
        pipeline = client.pipeline(transaction=False)
        expected = self._written
        for chunk in chunks:
            pipeline.evalsha(
                self._script,
                1,
                f"{settings.prefix}:positions",
                settings.prefix,
                self._writer,
                str(expected),
                str(chunk.last),
                str(settings.duplicate_window_s),
                str(settings.max_entries),
                chunk.streams,
                chunk.rows,
                chunk.digests,
            )
            expected = chunk.last
        refused: list[RefusedRow] = []
        for chunk, answer in zip(chunks, await pipeline.execute(raise_on_error=False), strict=True):
            if isinstance(answer, Exception):
                raise answer
            self._written = chunk.last
            appended, copies, refusals = answer
            self._counts["rows_total"] += appended
            self._counts["duplicates_total"] += copies
            for number, reason in zip(refusals[::2], refusals[1::2], strict=True):
                refused.append((rows[int(number)], reason.decode(errors="replace")[:REASON_CHARS_MAX]))
        return refused

    async def _look(self, client: Redis) -> int:
        persistence = None
        if self._tells_persistence:
            with _errors():
                persistence = await client.info("persistence")
        durable = self._durability.look(persistence, time.monotonic())
        self._acknowledged.raise_to(durable)
        return durable


def _database(address: StoreAddress) -> int:
    if not address.path:
        return 0
    if not address.path.isdecimal() or len(address.path) > 4:
        raise ValueError("must end in the number of a database, as in redis://127.0.0.1:6379/0")
    return int(address.path)


def _groups(chunks: Sequence[Chunk]) -> Iterator[list[Chunk]]:
    group: list[Chunk] = []
    size = 0
    for chunk in chunks:
        group.append(chunk)
        size += len(chunk.rows)
        if size >= IN_FLIGHT_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Turn errors of the library into those of a sink."""
    import redis.exceptions

    try:
        yield
    except redis.exceptions.AuthenticationError as error:  # also AuthorizationError, NoPermissionError
        raise SinkMisconfigured(_reason(error)) from None
    except redis.exceptions.ResponseError as error:
        reason = _reason(error)
        if reason.startswith(HOLE):
            raise SinkUnavailable("Redis has lost rows that it had") from None
        if reason.startswith(("NOPERM", "NOAUTH", "WRONGPASS", "WRONGTYPE", "MOVED", "CROSSSLOT", "DB index")):
            raise SinkMisconfigured(reason) from None
        raise SinkUnavailable(reason) from None
    except (redis.exceptions.RedisError, OSError) as error:
        raise SinkUnavailable(_reason(error)) from None


def _reason(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:REASON_CHARS_MAX]
