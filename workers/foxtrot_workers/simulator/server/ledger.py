"""What the simulated exchange sent on which connection, and what it made without subscribers. Losses are judged by it.

Every stream of every connection has a log of ids in the order they were sent, with the time each was handed to
the operating system. Ids are those of `market.Message.last_id`; of a recording, the line number. A frame that a
fault held back is in no log, one that was sent twice is there twice; extra frames of faults are only counted.

Memory is bounded by `ENTRIES_MAX`: with a file, everything is in the file (JSON lines, written by `flush`) and
memory keeps the recent part; without, the oldest entries are forgotten and counted.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from typing import IO, Any

import msgspec
from msgspec import Struct

__all__ = ["ENTRIES_MAX", "UNHEARD_RUNS_MAX", "ConnectionRecord", "Ledger", "StreamLog", "Unheard"]

ENTRIES_MAX = 2_000_000
"""Sent messages remembered in memory, over all connections: 16 bytes each."""

UNHEARD_RUNS_MAX = 10_000
"""Stretches without a subscriber that are remembered for each stream."""

CONNECTIONS_MAX = 20_000
"""Ended connections remembered; the oldest go first."""


class StreamLog:
    """What was sent of one stream on one connection."""

    __slots__ = ("forgotten", "ids", "times_ns", "written")

    def __init__(self) -> None:
        self.ids = array("q")
        self.times_ns = array("q")
        self.forgotten = 0
        """Entries that are no longer in memory, the oldest ones."""
        self.written = 0
        """Entries already in the file, the forgotten ones included."""

    @property
    def total(self) -> int:
        """Messages sent."""
        return self.forgotten + len(self.ids)

    def add(self, message_id: int, now_ns: int) -> None:
        """One message was sent; the hot path."""
        self.ids.append(message_id)
        self.times_ns.append(now_ns)

    def forget(self, count: int) -> None:
        """Drop the oldest `count` entries from memory."""
        del self.ids[:count]
        del self.times_ns[:count]
        self.forgotten += count


class Unheard(Struct):
    """A stretch of consecutive messages of a stream that no connection was subscribed to."""

    first_id: int
    last_id: int
    count: int
    start_ns: int
    end_ns: int


class _Made:
    """What the market made of one stream, with and without subscribers."""

    __slots__ = ("first_id", "last_id", "silent", "total", "unheard")

    def __init__(self, first_id: int) -> None:
        self.total = 0
        self.first_id = first_id
        self.last_id = first_id
        self.silent = False
        self.unheard: deque[Unheard] = deque(maxlen=UNHEARD_RUNS_MAX)


class ConnectionRecord(Struct):
    """One client connection; times in ns since 1970, `closed_ns` None while it is open."""

    number: int
    path: str
    opened_ns: int
    closed_ns: int | None = None
    cause: str = ""
    made_up: dict[str, int] = {}
    """Frames of faults that are not messages of the market, by kind of fault."""
    held_back: dict[str, int] = {}
    """Messages that faults did not let through on this connection, by stream."""


class Ledger:
    """The account of everything. Not thread-safe: one event loop owns it.

    Args:
        file: open for writing text; None: memory only.
        entries_max: entries in memory, over all connections.
    """

    def __init__(self, file: IO[str] | None = None, entries_max: int = ENTRIES_MAX) -> None:
        self._file = file
        self._entries_max = entries_max
        self._connections: dict[int, ConnectionRecord] = {}
        self._logs: dict[int, dict[str, StreamLog]] = {}
        self._made: dict[str, _Made] = {}
        self._next_number = 0
        self.opened_total = 0
        self.slow_clients_total = 0
        """Connections closed because the client did not read."""
        self.violations: Counter[str] = Counter()
        """How often clients broke each limit: ``attempts``, ``connections``, ``messages``, ``topics``, ``weight``,
        ``banned``."""

    def violated(self, limit: str) -> None:
        """A client has broken this limit."""
        self.violations[limit] += 1

    def write_to(self, file: IO[str]) -> None:
        """Write everything from now on to `file`, which is open for writing text."""
        self._file = file

    # -- what the server reports

    def opened(self, path: str, now_ns: int) -> ConnectionRecord:
        """A connection was accepted; its number counts from 0."""
        record = ConnectionRecord(self._next_number, path, now_ns)
        self._next_number += 1
        self.opened_total += 1
        self._connections[record.number] = record
        self._logs[record.number] = {}
        self._write({"what": "open", "connection": record.number, "path": path, "at_ns": now_ns})
        if len(self._connections) > CONNECTIONS_MAX:
            self._forget_connection()
        return record

    def closed(self, number: int, cause: str, now_ns: int) -> None:
        """A connection ended; closing twice keeps the first cause."""
        record = self._connections.get(number)
        if record is None or record.closed_ns is not None:
            return
        record.closed_ns, record.cause = now_ns, cause
        self._flush_connection(number)
        self._write({"what": "close", "connection": number, "cause": cause, "at_ns": now_ns})

    def log(self, number: int, stream: str) -> StreamLog:
        """Return the log of this connection and stream; the first call makes it."""
        return self._logs[number].setdefault(stream, StreamLog())

    def made(self, stream: str, first_id: int, last_id: int, now_ns: int, *, heard: bool) -> None:
        """The market made a message; `heard`: it has subscribers."""
        made = self._made.get(stream)
        if made is None:
            made = self._made[stream] = _Made(first_id)
        made.total += 1
        made.last_id = last_id
        if heard:
            made.silent = False
        elif made.silent:
            run = made.unheard[-1]
            run.last_id, run.end_ns = last_id, now_ns
            run.count += 1
        else:
            made.silent = True
            made.unheard.append(Unheard(first_id, last_id, 1, now_ns, now_ns))

    def fault(self, number: int | None, kind: str, now_ns: int) -> None:
        """A fault was performed; `number` None: at a handshake or a REST request."""
        record = None if number is None else self._connections.get(number)
        if record is not None:
            record.made_up = {**record.made_up, kind: record.made_up.get(kind, 0) + 1}
        self._write({"what": "fault", "connection": number, "kind": kind, "at_ns": now_ns})

    def held_back(self, number: int, stream: str) -> None:
        """A fault did not let a message of `stream` through on this connection."""
        record = self._connections[number]
        record.held_back = {**record.held_back, stream: record.held_back.get(stream, 0) + 1}

    # -- what tests read

    def connections(self) -> list[ConnectionRecord]:
        """All connections, oldest first."""
        return list(self._connections.values())

    def streams(self, number: int) -> list[str]:
        """Streams of which this connection was sent something."""
        return [stream for stream, log in self._logs.get(number, {}).items() if log.total]

    def sent(self, number: int, stream: str) -> list[int]:
        """Ids sent to this connection, in order, as far as memory reaches."""
        log = self._logs.get(number, {}).get(stream)
        return log.ids.tolist() if log else []

    def sent_times_ns(self, number: int, stream: str) -> list[int]:
        """When each of `sent` was sent."""
        log = self._logs.get(number, {}).get(stream)
        return log.times_ns.tolist() if log else []

    def sent_count(self, number: int, stream: str | None = None) -> int:
        """Messages sent to this connection, of one stream or of all."""
        logs = self._logs.get(number, {})
        if stream is not None:
            return logs[stream].total if stream in logs else 0
        return sum(log.total for log in logs.values())

    def sent_to_any(self, stream: str) -> set[int]:
        """Ids of `stream` that at least one connection was sent."""
        found: set[int] = set()
        for logs in self._logs.values():
            if stream in logs:
                found.update(logs[stream].ids)
        return found

    def made_range(self, stream: str) -> tuple[int, int, int] | None:
        """First id, last id and number of messages the market made of `stream`; None before the first."""
        made = self._made.get(stream)
        return (made.first_id, made.last_id, made.total) if made else None

    def unheard(self, stream: str) -> list[Unheard]:
        """Stretches of `stream` made while nobody was subscribed to it, oldest first."""
        made = self._made.get(stream)
        return list(made.unheard) if made else []

    def summary(self) -> dict[str, Any]:
        """Counts for people and for other processes, plain data."""
        return {
            "opened_total": self.opened_total,
            "slow_clients_total": self.slow_clients_total,
            "violations": dict(self.violations),
            "connections": [
                {
                    **msgspec.to_builtins(record),
                    "sent": {stream: log.total for stream, log in self._logs[number].items()},
                }
                for number, record in self._connections.items()
            ],
            "made": {
                stream: {
                    "first_id": made.first_id,
                    "last_id": made.last_id,
                    "total": made.total,
                    "unheard": sum(run.count for run in made.unheard),
                }
                for stream, made in self._made.items()
            },
        }

    # -- memory and file

    def flush(self) -> None:
        """Write what is not yet in the file, then shrink memory to its bound; call it about once a second."""
        for number in self._logs:
            self._flush_connection(number)
        if self._file is not None:
            self._file.flush()
        self._shrink()

    def finish(self) -> None:
        """Flush, and write what was made of each stream; the caller closes the file."""
        self.flush()
        for stream, made in self._made.items():
            for run in made.unheard:
                self._write({"what": "unheard", "stream": stream, **msgspec.to_builtins(run)})
            self._write(
                {
                    "what": "made",
                    "stream": stream,
                    "first_id": made.first_id,
                    "last_id": made.last_id,
                    "total": made.total,
                }
            )
        if self._file is not None:
            self._file.flush()

    def _write(self, row: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(msgspec.json.encode(row).decode() + "\n")

    def _flush_connection(self, number: int) -> None:
        if self._file is None:
            return
        for stream, log in self._logs[number].items():
            start = log.written - log.forgotten
            if start < len(log.ids):
                ids, times_ns = log.ids[start:].tolist(), log.times_ns[start:].tolist()
                row = {"what": "sent", "connection": number, "stream": stream, "ids": ids, "times_ns": times_ns}
                self._write(row)
                log.written = log.total

    def _shrink(self) -> None:
        logs = [log for by_stream in self._logs.values() for log in by_stream.values()]
        over = sum(len(log.ids) for log in logs) - self._entries_max
        for log in sorted(logs, key=lambda log: len(log.ids), reverse=True):
            if over <= 0:
                return
            # Half of a log at a time: one long stream must not lose all its recent entries at once.
            count = min(len(log.ids), max(over, len(log.ids) // 2))
            log.forget(count)
            over -= count

    def _forget_connection(self) -> None:
        ended = next((n for n, record in self._connections.items() if record.closed_ns is not None), None)
        if ended is not None:
            self._flush_connection(ended)
            del self._connections[ended]
            del self._logs[ended]
