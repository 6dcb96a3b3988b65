"""The PostgreSQL sink against a real server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_supervisor.sinks.postgresql.schema import TABLES
from foxtrot_supervisor.sinks.postgresql.settings import PostgresqlSettings
from foxtrot_supervisor.sinks.postgresql.sink import PostgresqlSink
from foxtrot_supervisor.sinks.sink import SinkMisconfigured, SinkRow, SinkUnavailable
from tests.support.sink_delivery import check_that_a_hang_ends_in_time, deliver, deliver_over_kills
from tests.support.sink_log import sink_context
from tests.support.sink_rows import every_kind, trade_rows, with_event
from tests.support.store_servers import PASSWORD, POSTGRES, PostgresServer
from tests.support.tls import make_tls

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: the extra postgresql")

pytestmark = pytest.mark.skipif(POSTGRES is None, reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One server; each test uses a schema of its own."""
    folder = tmp_path_factory.mktemp("p")
    made = make_tls(folder)
    running = PostgresServer(folder)
    rules = folder / "rules"
    rules.write_text(
        "hostssl all certified 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n"
        "host all all 127.0.0.1/32 scram-sha-256\n"
    )
    files = {"ssl_cert_file": made.cert_file, "ssl_key_file": made.key_file, "ssl_ca_file": made.ca_file}
    for name, path in {**files, "hba_file": rules}.items():
        running.take(path)
        running.options.append(f"{name}={running.folder / path.name}")
    running.options.append("ssl=on")
    with running:
        yield running


@pytest.fixture
def password(tmp_path: Path) -> Path:
    """The file with the password."""
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text(PASSWORD)
    return path


@pytest.fixture
def settings(server: PostgresServer, password: Path, request: pytest.FixtureRequest) -> PostgresqlSettings:
    """A schema for this test alone."""
    return PostgresqlSettings(
        port=server.port,
        database="postgres",
        user="foxtrot",
        password_file=str(password),
        schema=f"s{abs(hash(request.node.name))}",
        timeout_s=5.0,
    )


@contextlib.asynccontextmanager
async def client_of(server: PostgresServer) -> AsyncIterator[Any]:
    client = await psycopg.AsyncConnection.connect(
        host="127.0.0.1", port=server.port, dbname="postgres", user="foxtrot", password=PASSWORD, autocommit=True
    )
    try:
        yield client
    finally:
        await client.close()


async def stored(server: PostgresServer, settings: PostgresqlSettings) -> list[tuple[Any, ...]]:
    """All rows: kind, key, and the columns' values by name; numbers as text."""
    found = []
    async with client_of(server) as client:
        for kind, columns in TABLES.items():
            names = ", ".join(
                f'"{each.name}"::{"text[]" if each.type.endswith("[]") else "text"}' for each in columns[1:]
            )
            cursor = await client.execute(f'select {names} from "{settings.schema}"."{kind}" order by "time", "key"')
            rows = await cursor.fetchall()
            found += [(kind, dict(zip((each.name for each in columns[1:]), values, strict=True))) for values in rows]
    return found


def text_of(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return value


def expected(row: SinkRow) -> dict[str, Any]:
    """The columns of a row as text, as the event has them."""
    event = row.event
    found: dict[str, Any] = {"key": row.key, "connection": row.connection}
    for column in TABLES[row.kind][1:]:
        name = column.name
        if name in found:
            continue
        if name == "type":
            found[name] = "snapshot" if type(event).__name__ == "BookSnapshot" else "delta"
        elif name.endswith(("_prices", "_sizes")):
            levels = event.bids if name.startswith("bid") else event.asks
            found[name] = [level[int(name.endswith("sizes"))] for level in levels]
        else:
            found[name] = text_of(getattr(event, name))
    return found


def same(found: Any, wanted: Any) -> bool:
    """Equal, or the same number, with the same digits unless it has an exponent."""
    return found == wanted or (isinstance(wanted, str) and "E" in wanted and Decimal(found) == Decimal(wanted))


async def test_rows_of_every_kind_are_stored_once_and_exactly(
    server: PostgresServer, settings: PostgresqlSettings, tmp_path: Path
) -> None:
    rows = every_kind()
    sink = PostgresqlSink(settings, sink_context(tmp_path))
    assert await deliver(sink, rows) == []
    again = PostgresqlSink(settings, sink_context(tmp_path))
    assert await deliver(again, [*rows], batch_rows=7) == []
    assert again.counts()["duplicates_total"] == len(rows)
    found = {columns["key"]: (kind, columns) for kind, columns in await stored(server, settings)}
    assert set(found) == {row.key for row in rows}
    for row in rows:
        kind, columns = found[row.key]
        assert kind == row.kind
        wanted = expected(row)
        assert [name for name in wanted if not same(columns[name], wanted[name])] == []
    async with client_of(server) as client:
        cursor = await client.execute(
            f'select sum(size), max("time")::text from "{settings.schema}".trade where exchange = \'SIM\''
        )
        total, latest = await cursor.fetchone()
    assert str(total) == "111111110111111111011.111111101", "nine times 12345678901234567890.123456789"
    assert latest.startswith("2026-05-28 20:26:40.123456")


async def test_a_server_that_is_killed_while_rows_come_loses_and_doubles_none(
    server: PostgresServer, settings: PostgresqlSettings, tmp_path: Path
) -> None:
    rows = trade_rows(1, 6000)
    sink = PostgresqlSink(settings, sink_context(tmp_path))
    assert await deliver_over_kills(sink, rows, server) == []
    found = [columns["key"] for _, columns in await stored(server, settings)]
    assert sorted(found) == sorted(row.key for row in rows)


async def test_a_server_that_hangs_is_given_up_in_time(
    server: PostgresServer, settings: PostgresqlSettings, tmp_path: Path
) -> None:
    sink = PostgresqlSink(msgspec.structs.replace(settings, timeout_s=0.5), sink_context(tmp_path))
    await check_that_a_hang_ends_in_time(sink, server, r"0\.5 s")
    assert await deliver(PostgresqlSink(settings, sink_context(tmp_path)), trade_rows(1, 10)) == []
    assert len(await stored(server, settings)) == 10


async def test_bad_rows_are_found_out_and_the_others_stored(
    server: PostgresServer, settings: PostgresqlSettings, tmp_path: Path
) -> None:
    rows = trade_rows(1, 40)
    rows[3] = with_event(rows[3], price="abc")
    rows[17] = with_event(rows[17], symbol="a\0b")
    rows[17] = msgspec.structs.replace(rows[17], symbol="a\0b")
    rows[18] = with_event(rows[18], exchange_ns=2**80)
    rows[19] = with_event(rows[19], count=2**70)
    rows[20] = msgspec.structs.replace(rows[20], symbol="\ud800")
    rows[39] = with_event(rows[39], size="1e999999")
    refused = await deliver(PostgresqlSink(settings, sink_context(tmp_path)), rows)
    assert [row.number for row, _ in refused] == [4, 18, 19, 20, 21, 40]
    assert '"abc"' in refused[0][1]
    good = {row.key for row in rows} - {row.key for row, _ in refused}
    assert {columns["key"] for _, columns in await stored(server, settings)} == good


async def test_tables_that_exist_are_checked_and_never_altered(
    server: PostgresServer, settings: PostgresqlSettings, tmp_path: Path
) -> None:
    sink = PostgresqlSink(msgspec.structs.replace(settings, create=False), sink_context(tmp_path))
    with pytest.raises(SinkMisconfigured, match="is missing: set create = true"):
        await sink.open()
    await sink.close()
    await deliver(PostgresqlSink(settings, sink_context(tmp_path)), trade_rows(1, 5))
    async with client_of(server) as client:
        await client.execute(f'alter table "{settings.schema}".trade add column note text')
        await deliver(PostgresqlSink(settings, sink_context(tmp_path)), trade_rows(6, 5))
        await client.execute(f'alter table "{settings.schema}".trade alter column price type double precision')
        for _ in range(2):
            sink = PostgresqlSink(settings, sink_context(tmp_path))
            with pytest.raises(SinkMisconfigured, match='column "price" is double precision, not numeric'):
                await sink.open()
            await sink.close()


async def test_a_user_with_few_rights_and_partitions(
    server: PostgresServer, settings: PostgresqlSettings, tmp_path: Path
) -> None:
    await deliver(PostgresqlSink(settings, sink_context(tmp_path)), trade_rows(1, 5))
    schema = settings.schema
    async with client_of(server) as client:
        await client.execute(f"create role feeder login password '{PASSWORD}'")
        await client.execute(f"grant usage on schema {schema} to feeder")
        await client.execute(f"grant select, insert on all tables in schema {schema} to feeder")
        feeder = PostgresqlSink(msgspec.structs.replace(settings, user="feeder"), sink_context(tmp_path))
        assert await deliver(feeder, trade_rows(1, 10)) == [], "no right to create anything is needed"
        await client.execute(f"drop table {schema}.quote")
        with pytest.raises(SinkMisconfigured, match="permission denied"):
            await feeder.open()
        await feeder.close()
        await client.execute(f"alter table {schema}.trade rename to old_trade")
        await client.execute(
            f"create table {schema}.trade (like {schema}.old_trade including all) partition by range (time)"
        )
        sink = PostgresqlSink(settings, sink_context(tmp_path))
        await sink.open()
        with pytest.raises(SinkMisconfigured, match="no partition"):
            await sink.write(trade_rows(1, 3))
        await sink.close()
        await client.execute(f"create table {schema}.trade_all partition of {schema}.trade default")
        assert await deliver(sink, trade_rows(1, 3)) == []


async def test_passwords_and_databases(
    server: PostgresServer,
    settings: PostgresqlSettings,
    password: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # what the environment says must not matter
    for name, value in (("PGHOSTADDR", "192.0.2.1"), ("PGPASSWORD", PASSWORD), ("PGOPTIONS", "-c search_path=x")):
        monkeypatch.setenv(name, value)

    async def reason(changed: PostgresqlSettings) -> str:
        sink = PostgresqlSink(changed, sink_context(tmp_path))
        with pytest.raises(SinkMisconfigured) as raised:
            await sink.open()
        await sink.close()
        return raised.value.reason

    assert "does not exist" in await reason(msgspec.structs.replace(settings, database="nowhere"))
    password.write_text("wrong-password-1")  # noqa: ASYNC240
    said = await reason(settings)
    assert "password authentication failed" in said
    assert "wrong-password" not in said
    password.write_text(PASSWORD)  # noqa: ASYNC240
    assert await deliver(PostgresqlSink(settings, sink_context(tmp_path)), trade_rows(1, 3)) == []


async def test_tls_verifies_certificate_and_name(
    server: PostgresServer, settings: PostgresqlSettings, tmp_path: Path
) -> None:
    ca = server.given / "ca.pem"
    encrypted = msgspec.structs.replace(settings, tls=True, ca_file=str(ca))
    assert await deliver(PostgresqlSink(encrypted, sink_context(tmp_path)), trade_rows(1, 3)) == []
    (tmp_path / "other").mkdir()
    foreign = make_tls(tmp_path / "other").ca_file
    sink = PostgresqlSink(msgspec.structs.replace(encrypted, ca_file=str(foreign)), sink_context(tmp_path))
    with pytest.raises(SinkMisconfigured, match="certificate"):
        await sink.open()
    await sink.close()


async def test_a_server_may_demand_the_certificate_of_the_client(
    server: PostgresServer, settings: PostgresqlSettings, tmp_path: Path
) -> None:
    made = make_tls(tmp_path)  # of another authority than the server's
    async with client_of(server) as client:
        await client.execute(f"create role certified superuser login password '{PASSWORD}'")
    anonymous = msgspec.structs.replace(settings, user="certified", tls=True, ca_file=str(server.given / "ca.pem"))
    known, foreign = (
        msgspec.structs.replace(anonymous, cert_file=str(folder / "server.pem"), key_file=str(folder / "server.key"))
        for folder in (server.given, made.ca_file.parent)
    )
    assert PostgresqlSink.problems(known) == []
    assert await deliver(PostgresqlSink(known, sink_context(tmp_path)), trade_rows(1, 3)) == []
    for refused in (anonymous, foreign):
        sink = PostgresqlSink(refused, sink_context(tmp_path))
        with pytest.raises((SinkMisconfigured, SinkUnavailable), match=r"(?i)certificate|unknown ca"):
            await sink.open()
        await sink.close()
