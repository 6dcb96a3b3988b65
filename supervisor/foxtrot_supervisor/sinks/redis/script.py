"""The script that appends a chunk of rows to streams in one step, so that no row is ever appended twice. Pure.

Redis runs a script as a whole or, after a crash, not at all. With the rows it stores the number of the last one, for
each writer, in the hash ``PREFIX:positions``: rows up to there are in the streams already and are left out.

Ids of entries are ``<milliseconds>-<n>``: the time of receipt, or that of the last entry, whichever is later. The
script makes them itself, since ``<milliseconds>-*`` needs Redis 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct

from foxtrot_supervisor.sinks.sink import RefusedRow, SinkRow
from foxtrot_supervisor.sinks.stores.fields import flat_fields

__all__ = ["APPEND", "CHUNK_BYTES", "CHUNK_ROWS", "HOLE", "Chunk", "chunks_of", "stream_name"]

HOLE: Final = "FOXTROT-HOLE"
"""First word of the error for rows that do not follow the last one of their writer."""

CHUNK_ROWS: Final = 200
"""Rows of one call: Redis serves nobody else while a script runs, here a millisecond or two."""

CHUNK_BYTES: Final = 256 * 1024

DIGEST_BYTES: Final = 12

APPEND: Final = """
local positions, prefix, writer = KEYS[1], ARGV[1], ARGV[2]
local expected, last, window, maxlen = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local streams, rows, digests = cmsgpack.unpack(ARGV[7]), cmsgpack.unpack(ARGV[8]), ARGV[9]

local position = tonumber(redis.call('HGET', positions, writer) or '0')
if position < expected then
  return redis.error_reply('FOXTROT-HOLE position ' .. string.format('%.0f', position))
end
-- raises before anything is written if Redis may not write: out of memory, a replica, a full disk
redis.call('HSET', positions, writer, string.format('%.0f', position))

local seen_now, seen_before
if window > 0 then
  local bucket = math.floor(tonumber(redis.call('TIME')[1]) / window)
  seen_now = prefix .. ':seen:' .. string.format('%.0f', bucket)
  seen_before = prefix .. ':seen:' .. string.format('%.0f', bucket - 1)
end

local tops = {}
local function next_id(stream, milliseconds)
  local top = tops[stream]
  if not top then
    top = {0, 0}
    local info = redis.pcall('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then
        local first, second = string.match(info[i + 1], '^(%d+)-(%d+)$')
        top = {tonumber(first), tonumber(second)}
      end
    end
    tops[stream] = top
  end
  if milliseconds > top[1] then
    top[1], top[2] = milliseconds, 0
  else
    top[2] = top[2] + 1
  end
  return string.format('%.0f-%.0f', top[1], top[2])
end

local appended, copies, refused = 0, 0, {}
for place, row in ipairs(rows) do
  local number, stream = row[1], streams[row[2]]
  local digest = string.sub(digests, 12 * place - 11, 12 * place)
  if number > position then
    if window > 0 and (redis.call('SISMEMBER', seen_before, digest) == 1
                       or redis.call('SADD', seen_now, digest) == 0) then
      copies = copies + 1
    else
      local id = next_id(stream, row[3])
      local added = redis.pcall('XADD', stream, 'MAXLEN', '~', maxlen, id, unpack(row[4]))
      if type(added) == 'table' and added['err'] then
        refused[#refused + 1] = string.format('%.0f', number)
        refused[#refused + 1] = added['err']
      else
        appended = appended + 1
      end
    end
  else
    copies = copies + 1
  end
end
redis.call('HSET', positions, writer, string.format('%.0f', math.max(position, last)))
if window > 0 then
  redis.call('EXPIRE', seen_now, 2 * window)
end
return {appended, copies, refused}
"""
"""Its key is the hash of positions. Arguments: prefix; writer; number up to which the writer has appended rows, as far
as it knows; number of the last row; window in seconds; entries to keep; as MessagePack the names of streams, and the
rows ``[number, index of its stream from 1, milliseconds, names and values of the entry]``; digests of their keys, of
`DIGEST_BYTES` each (this MessagePack has no byte strings).

Returns how many rows were appended, how many were copies, and the refused ones: number and error in turn.
"""


class Chunk(Struct, frozen=True):
    """Rows of one call of the script."""

    last: int
    """Number up to which its rows are, those that cannot be encoded included."""
    streams: bytes
    rows: bytes
    digests: bytes


def stream_name(row: SinkRow, prefix: str, by_symbol: bool) -> str:
    """Return the stream of a row: ``PREFIX:trade``, or ``PREFIX:trade:BINANCE:BTCUSDT``."""
    if not by_symbol:
        return f"{prefix}:{row.kind}"
    return f"{prefix}:{row.kind}:{row.exchange}:{row.symbol}"


def chunks_of(rows: Sequence[SinkRow], prefix: str, by_symbol: bool) -> tuple[list[Chunk], list[RefusedRow]]:
    """Return rows as chunks, and those that no chunk can hold: their text is not Unicode."""
    chunks: list[Chunk] = []
    refused: list[RefusedRow] = []
    streams: dict[str, int] = {}
    packed: list[msgspec.Raw] = []
    digests = bytearray()
    size = 0
    for row in rows:
        index = streams.setdefault(stream_name(row, prefix, by_symbol), len(streams) + 1)
        milliseconds = max(0, row.event.receive_ns) // 1_000_000
        try:
            entry = msgspec.msgpack.encode((row.number, index, milliseconds, flat_fields(row)))
            digest = blake2b(row.key.encode(), digest_size=DIGEST_BYTES).digest()
        except (UnicodeEncodeError, OverflowError) as error:
            refused.append((row, f"cannot be encoded: {error}"))
        else:
            packed.append(msgspec.Raw(entry))
            digests += digest
            size += len(entry)
        if len(packed) >= CHUNK_ROWS or size >= CHUNK_BYTES or row is rows[-1]:
            names = msgspec.msgpack.encode(list(streams))
            chunks.append(Chunk(row.number, names, msgspec.msgpack.encode(packed), bytes(digests)))
            streams, packed, digests, size = {}, [], bytearray(), 0
    return chunks, refused
