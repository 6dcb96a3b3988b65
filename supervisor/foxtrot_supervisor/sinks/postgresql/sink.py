"""The sink that copies rows into tables of PostgreSQL, each row once by its key."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import defaultdict
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from msgspec import Struct

from foxtrot_supervisor.sinks.postgresql.faults import Fault, fault_of
from foxtrot_supervisor.sinks.postgresql.rows import copy_line, row_values
from foxtrot_supervisor.sinks.postgresql.schema import (
    COLUMNS_SQL,
    KEYS_SQL,
    TABLES,
    copy_sql,
    create_sql,
    insert_sql,
    is_schema_name,
    schema_problems,
    stage_sql,
)
from foxtrot_supervisor.sinks.postgresql.settings import PostgresqlSettings
from foxtrot_supervisor.sinks.sink import (
    EventKind,
    RefusedRow,
    SinkContext,
    SinkMisconfigured,
    SinkRefuses,
    SinkRow,
    SinkUnavailable,
)
from foxtrot_supervisor.sinks.stores.access import access_problems, password_of, plain_text_problem
from foxtrot_supervisor.sinks.stores.address import StoreAddress
from foxtrot_supervisor.sinks.stores.library import is_installed, load_library

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresqlSink"]

COPY_BYTES: Final = 256 * 1024
"""Bytes handed to COPY at once."""

REASON_CHARS_MAX: Final = 300

_T = TypeVar("_T")

NEEDS: Final = "needs psycopg: pip install 'foxtrot-supervisor[postgresql]'"


class PostgresqlSink:
    """Copies each batch into temporary tables and inserts from there what is not in the tables yet, in one transaction.

    What `write` returns is committed; how far a commit outlives the server's machine is its ``synchronous_commit``.
    """

    settings: ClassVar[type[Struct]] = PostgresqlSettings

    def __init__(self, settings: PostgresqlSettings, context: SinkContext) -> None:
        self._settings = settings
        self._context = context
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._staged: set[EventKind] = set()
        self._durable = 0
        self._counts = {"rows_total": 0, "duplicates_total": 0, "refused_total": 0, "transactions_total": 0}

    @staticmethod
    def problems(settings: Struct) -> Sequence[tuple[str, str]]:
        """Return key and reason of each mistake in the settings."""
        assert isinstance(settings, PostgresqlSettings)
        found = access_problems(settings)
        if not is_installed("psycopg"):
            found.append(("kind", NEEDS))
        if not is_schema_name(settings.schema):
            found.append(("schema", "must be of a-z, 0-9 and _, a letter first, at most 63 characters"))
        for key in ("host", "database", "user"):
            if getattr(settings, key) == "" or "\0" in (getattr(settings, key) or ""):
                found.append((key, "must not be empty"))
        refusal = plain_text_problem(_address(settings), settings, "tls = true")
        if refusal is not None:
            found.append(("tls", refusal))
        return found

    async def open(self) -> None:
        """Connect, and create or check the tables."""
        await load_library("psycopg", NEEDS)
        with _errors():
            self._connection = await self._connect()
            problems = await self._bounded(self._prepare(self._connection))
        if problems:
            raise SinkMisconfigured("; ".join(problems)[: REASON_CHARS_MAX * 4])

    async def write(self, rows: Sequence[SinkRow]) -> int:
        """Write the rows in one transaction; if the server refuses some, find out which by halving."""
        lines, refused = _lines(rows)
        with _errors():
            refused += await self._insert(lines)
        if refused:
            self._counts["refused_total"] += len(refused)
            raise SinkRefuses(sorted(refused, key=lambda each: each[0].number))
        self._counts["rows_total"] += len(rows)
        self._durable = rows[-1].number
        return self._durable

    async def flush(self) -> int:
        """Nothing waits: what was written is committed."""
        return self._durable

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        self._staged.clear()
        self._durable = 0
        if connection is not None:
            await connection.close()

    def counts(self) -> dict[str, int]:
        """Rows written, those that were there already, those refused, transactions."""
        return dict(self._counts)

    async def _prepare(self, connection: psycopg.AsyncConnection[Any]) -> list[str]:
        """Create what is missing and may be created; return the problems of the tables."""
        async with connection.cursor() as cursor:
            if self._settings.create and await self._incomplete(cursor):
                for statement in create_sql(self._settings.schema):
                    await cursor.execute(statement)
                await connection.commit()
            problems = await self._problems(cursor)
        await connection.commit()
        return problems

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        import psycopg

        return await psycopg.AsyncConnection.connect(**_parameters(self._settings, self._context.name))

    async def _incomplete(self, cursor: psycopg.AsyncCursor[Any]) -> bool:
        """Whether a table is missing: a user who may not create anything needs no right to, once all are there."""
        await cursor.execute(COLUMNS_SQL, (self._settings.schema,))
        return not {kind for kind, *_ in await cursor.fetchall()} >= set(TABLES)

    async def _problems(self, cursor: psycopg.AsyncCursor[Any]) -> list[str]:
        schema = self._settings.schema
        columns: defaultdict[str, dict[str, tuple[str, bool]]] = defaultdict(dict)
        keys: defaultdict[str, list[list[str]]] = defaultdict(list)
        await cursor.execute(COLUMNS_SQL, (schema,))
        for table, column, type_, optional in await cursor.fetchall():
            columns[table][column] = (type_, optional)
        await cursor.execute(KEYS_SQL, (schema,))
        for table, key in await cursor.fetchall():
            keys[table].append(key)
        return schema_problems(schema, columns, keys)

    async def _insert(self, lines: Sequence[tuple[SinkRow, str]]) -> list[RefusedRow]:
        """Insert what the server accepts, and return the rows that it refuses."""
        import psycopg

        if not lines:
            return []
        try:
            await self._bounded(self._transaction(lines))
        except (psycopg.Error, UnicodeEncodeError) as error:
            if not isinstance(error, UnicodeEncodeError) and _fault(error) != "row":
                raise
            assert self._connection is not None
            await self._bounded(self._connection.rollback())
            if len(lines) == 1:
                return [(lines[0][0], _reason(error))]
            middle = len(lines) // 2
            return [*await self._insert(lines[:middle]), *await self._insert(lines[middle:])]
        return []

    async def _transaction(self, lines: Sequence[tuple[SinkRow, str]]) -> None:
        connection = self._connection
        assert connection is not None, "open comes first"
        by_kind: defaultdict[EventKind, list[str]] = defaultdict(list)
        for row, line in lines:
            by_kind[row.kind].append(line)
        fresh = [kind for kind in by_kind if kind not in self._staged]
        inserted = 0
        async with connection.cursor() as cursor:
            for kind in fresh:
                await cursor.execute(stage_sql(kind, self._settings.schema))
            for kind, texts in by_kind.items():
                async with cursor.copy(copy_sql(kind)) as copy:
                    for chunk in _chunks(texts):
                        await copy.write(chunk)
                await cursor.execute(insert_sql(kind, self._settings.schema))
                inserted += cursor.rowcount
        await connection.commit()
        self._staged.update(fresh)
        self._counts["transactions_total"] += 1
        self._counts["duplicates_total"] += len(lines) - inserted

    async def _bounded(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await `work` no longer than `timeout_s`; raises TimeoutError.

        psycopg answers a cancellation by a cancel request and waits for its end, which a server that hangs never gives:
        the connection is shut down instead, and `work` fails at once.
        """
        task = asyncio.create_task(work)
        try:
            done, _ = await asyncio.wait((task,), timeout=self._settings.timeout_s)
            if done:
                return task.result()
            raise TimeoutError(f"no answer within {self._settings.timeout_s:g} s")
        finally:
            if not task.done():
                self._shut_down()
                await asyncio.gather(task, return_exceptions=True)

    def _shut_down(self) -> None:
        with contextlib.suppress(Exception):  # whatever state it is in, it ends
            assert self._connection is not None
            with socket.socket(fileno=os.dup(self._connection.fileno())) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)


@contextmanager
def _errors() -> Iterator[None]:
    """Turn errors of the library into those of a sink."""
    import psycopg

    try:
        yield
    except (psycopg.Error, OSError) as error:  # TimeoutError is an OSError
        reason = _reason(error)
        if _fault(error) == "unavailable":
            raise SinkUnavailable(reason) from None
        raise SinkMisconfigured(reason) from None


def _fault(error: BaseException) -> Fault:
    constraint = getattr(getattr(error, "diag", None), "constraint_name", None)
    return fault_of(getattr(error, "sqlstate", None), str(error), constraint)


def _lines(rows: Sequence[SinkRow]) -> tuple[list[tuple[SinkRow, str]], list[RefusedRow]]:
    lines: list[tuple[SinkRow, str]] = []
    refused: list[RefusedRow] = []
    for row in rows:
        try:
            lines.append((row, copy_line(row_values(row))))
        except OverflowError:
            refused.append((row, "its time is beyond the calendar"))
    return lines, refused


def _chunks(texts: Sequence[str]) -> list[str]:
    chunks: list[list[str]] = [[]]
    size = 0
    for text in texts:
        if size > COPY_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(text)
        size += len(text)
    return ["".join(chunk) for chunk in chunks]


def _address(settings: PostgresqlSettings) -> StoreAddress:
    plain = StoreAddress(settings.host, settings.port, False, "")
    return StoreAddress(plain.host, plain.port, not plain.is_local if settings.tls is None else settings.tls, "")


def _parameters(settings: PostgresqlSettings, name: str) -> Mapping[str, Any]:
    """Parameters of libpq. Each that the environment could set is set here, so that no other place decides."""
    parameters: dict[str, Any] = {
        "host": settings.host,
        "hostaddr": "",
        "port": settings.port,
        "dbname": settings.database,
        "application_name": f"foxtrot-supervisor {name}",
        "connect_timeout": max(2, round(settings.timeout_s)),
        "options": "",
        "passfile": f"{os.devnull}/none",  # no file: without the key, libpq would read ~/.pgpass
        "gssencmode": "disable",
        "target_session_attrs": "read-write",
        "client_encoding": "UTF8",
    }
    if settings.user is not None:
        parameters["user"] = settings.user
    password = password_of(settings)
    if password is not None:
        parameters["password"] = password
    if not _address(settings).tls:
        return {**parameters, "sslmode": "disable"}
    parameters |= {"sslmode": "verify-full", "sslrootcert": settings.ca_file or "system"}
    if settings.cert_file is not None:
        parameters |= {"sslcert": settings.cert_file, "sslkey": settings.key_file}
    else:
        parameters["sslcertmode"] = "disable"
    return parameters


def _reason(error: BaseException) -> str:
    diagnosis = getattr(error, "diag", None)
    primary = getattr(diagnosis, "message_primary", None)
    detail = getattr(diagnosis, "message_detail", None)
    text = primary or " ".join(str(error).split())
    return (f"{text} ({detail})" if primary and detail else text or type(error).__name__)[:REASON_CHARS_MAX]
