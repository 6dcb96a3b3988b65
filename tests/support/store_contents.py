"""Stores as the sinks of a run use them: their keys in the configuration, and which trades they hold afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from foxtrot_supervisor.sinks.postgresql.schema import TABLES
from tests.support.store_servers import PASSWORD, NatsServer, PostgresServer, RedisServer, StoreServer

__all__ = ["make_store", "stored_keys", "stored_trades"]


def make_store(kind: str, folder: Path) -> tuple[StoreServer, dict[str, Any]]:
    """Return a server, not started, and the keys of its sink."""
    if kind == "nats":
        nats_server = NatsServer(folder)
        return nats_server, {"servers": [nats_server.url]}
    if kind == "redis":
        redis_server = RedisServer(folder)
        return redis_server, {"url": redis_server.url, "max_entries": 100_000_000}
    postgres = PostgresServer(folder)
    file = folder / "password"
    file.touch(mode=0o600)
    file.write_text(PASSWORD)
    return postgres, {"port": postgres.port, "database": "postgres", "user": "foxtrot", "password_file": str(file)}


async def stored_trades(kind: str, server: StoreServer) -> list[tuple[str, str]]:
    """Return key and identifier of each trade that the store holds."""
    if kind == "nats":
        return await _from_nats(server)
    if kind == "redis":
        return await _from_redis(server, "foxtrot:trade")
    import psycopg

    async with await psycopg.AsyncConnection.connect(
        host="127.0.0.1", port=server.port, dbname="postgres", user="foxtrot", password=PASSWORD
    ) as client:
        cursor = await client.execute("select key, trade_id from foxtrot.trade")
        return [(str(key), str(number)) for key, number in await cursor.fetchall()]


async def _from_nats(server: StoreServer, subject: str = "foxtrot.*.trade.>") -> list[tuple[str, str]]:
    import nats
    from nats.js.api import ConsumerConfig

    client = await nats.connect(f"nats://127.0.0.1:{server.port}")
    found = []
    try:
        jetstream = client.jetstream()
        consumer = await jetstream.add_consumer("FOXTROT", ConsumerConfig(filter_subject=subject))
        left = consumer.num_pending or 0
        subscription = await jetstream.pull_subscribe_bind(consumer.name, "FOXTROT")
        while left > 0:
            for message in await subscription.fetch(min(left, 500), timeout=20):
                left -= 1
                content = json.loads(message.data)
                found.append((content["key"], str(content.get("trade_id"))))
                await message.ack()
    finally:
        await client.close()
    return found


_READ: Final = """
local entries, found = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2]), {}
for place, entry in ipairs(entries) do
  local fields = {}
  for i = 1, #entry[2], 2 do
    fields[entry[2][i]] = entry[2][i + 1]
  end
  found[place] = {fields['key'], fields['trade_id'] or ''}
end
return {#entries > 0 and entries[#entries][1] or '', cmsgpack.pack(found)}
"""
"""Redis picks the two fields and packs them: its client takes some 100 us to read an entry with all its fields."""


async def _from_redis(server: StoreServer, *streams: str) -> list[tuple[str, str]]:
    import redis.asyncio

    client = redis.asyncio.Redis(port=server.port)
    found = []
    try:
        names = streams or [name async for name in client.scan_iter("foxtrot:*", _type="stream", count=1000)]
        for name in names:
            last, packed = await client.eval(_READ, 1, name, "-", "20000")
            while last:
                found += msgspec.msgpack.decode(packed, type=list[tuple[str, str]])
                last, packed = await client.eval(_READ, 1, name, b"(" + last, "20000")
    finally:
        await client.aclose()
    return found


async def stored_keys(kind: str, server: StoreServer) -> list[str]:
    """Return the key of each event of any kind that the store holds."""
    if kind == "nats":
        return [key for key, _ in await _from_nats(server, "foxtrot.>")]
    if kind == "redis":
        return [key for key, _ in await _from_redis(server)]
    import psycopg

    found: list[str] = []
    async with await psycopg.AsyncConnection.connect(
        host="127.0.0.1", port=server.port, dbname="postgres", user="foxtrot", password=PASSWORD
    ) as client:
        for table in TABLES:
            cursor = await client.execute(f"select key from foxtrot.{table} order by time")
            found += [str(key) for (key,) in await cursor.fetchall()]
    return found
