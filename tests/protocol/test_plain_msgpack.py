"""docs/protocol.md is correct: its bytes, its tables and its client work with plain msgpack."""

from __future__ import annotations

import re
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest

from foxtrot_protocol import commands, events
from foxtrot_protocol.codec import BatchEncoder, encode_control
from foxtrot_protocol.framing import PROTOCOL_VERSION
from tests.support.sources import ROOT

DOCUMENT = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")

TRADE = events.Trade(
    "SIM", "BTCUSDT", 1_700_000_000_000_000_000, 1_700_000_000_000_000_200, "64000.10", "0.50", "buy", "7"
)

SAMPLES: list[Any] = [
    TRADE,
    events.Quote("X", "S", 1, 2, "1", "2", None, None, ""),
    events.BookSnapshot("X", "S", 1, 2, [("1.0", "2")], [("3", "4")], None, "9", 4_294_967_295),
    events.BookDelta("X", "S", 1, 2, [("1", "0")], [], "8", "9", None),
    events.Ticker("X", "S", 1, 2, "1", "2", "3", "4", "5", None),
    events.Bar("X", "S", 1, 2, "1m", 3, "1", "2", "3", "4", "5", True),
    events.Funding("X", "S", 1, 2, "0.0001", 3),
    events.MarkPrice("X", "S", 1, 2, "9.121E-7"),
    events.OpenInterest("X", "S", 1, 2, "5"),
    events.Liquidation("X", "S", 1, 2, "sell", "1", "2"),
    events.FeedStatus("X", "S", 1, 2, "s@trade", "flowing", 0.5),
    events.Gap("X", "S", 1, 2, "eBook.", "1", "2", 3, 4, "why"),
]


def example(name: str) -> bytes:
    """The bytes of an example in the document: the hex digits before each remark."""
    block = re.search(rf"<!-- example: {name} -->\n```\n(.*?)```", DOCUMENT, re.DOTALL)
    assert block is not None
    return bytes.fromhex(" ".join(line[:37] for line in block[1].splitlines() if line != "..."))


def documented_fields(tag: str) -> list[str]:
    """The field names that the table gives for `tag`, remarks in brackets left out."""
    rows = re.findall(rf"^\| `{tag}` \| ([^|]*) \|$", DOCUMENT, re.MULTILINE)
    assert len(rows) == 1, tag
    return re.sub(r"\([^)]*\)", "", rows[0]).replace(" ", "").split(",")


def test_the_documented_batch_is_what_we_send() -> None:
    ours = BatchEncoder("sim.a", 1).encode(1, 1_700_000_000_000_000_300, [TRADE])
    assert ours == example("batch")
    assert len(ours) == 81


def test_plain_msgpack_reads_the_documented_batch() -> None:
    version, worker, incarnation, sequence, publish_ns, got = msgpack.unpackb(example("batch"))
    assert (version, worker, incarnation, sequence) == (PROTOCOL_VERSION, "sim.a", 1, 1)
    assert publish_ns == 1_700_000_000_000_000_300
    ((tag, exchange, symbol, exchange_ns, receive_ns, *fields),) = got
    assert (tag, exchange, symbol) == ("trade", "SIM", "BTCUSDT")
    assert (exchange_ns, receive_ns) == (1_700_000_000_000_000_000, 1_700_000_000_000_000_200)
    assert fields == ["64000.10", "0.50", "buy", "7", 0, False, False, 1]


def test_the_documented_client_reads_the_documented_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL) if "read_events" in block)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/protocol.md", "exec", dont_inherit=True), names)
    path = str(tmp_path / "events.sock")
    batch = example("batch")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(struct.pack(">I", len(batch)) + batch + struct.pack(">II", 0, 7))

        thread = threading.Thread(target=serve)
        thread.start()
        names["read_events"](path)
        thread.join()
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("sim.a 1 ['trade', 'SIM', 'BTCUSDT', ")
    assert second == "7 batches were dropped"


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: type(event).__name__)
def test_every_event_has_the_documented_fields_in_their_order(event: Any) -> None:
    data = BatchEncoder("w", 3).encode(5, 6, [event])
    (element,) = msgpack.unpackb(data)[5]
    tag = type(event).__struct_config__.tag
    names = ["exchange", "symbol", "exchange_ns", "receive_ns", *documented_fields(tag)]
    names += ["publish_ns", "redelivered", "backfilled", *(["count"] if tag == "trade" else [])]
    assert names == list(type(event).__struct_fields__)
    assert element == [tag, *(msgspec.json.decode(msgspec.json.encode(getattr(event, name))) for name in names)]


def test_every_event_type_has_a_sample() -> None:
    assert {type(event) for event in SAMPLES} == set(events.EVENT_TYPES) - events.ENGINE_MADE


def test_the_documented_records_are_read_by_our_reader() -> None:
    lines = example("records")
    assert lines[:4] == len(example("batch")).to_bytes(4, "big")
    assert lines[4:] == b"\0\0\0\0\0\0\0\7"


def test_the_documented_hello_is_what_a_child_says() -> None:
    assert encode_control(commands.Hello("sim.a", 1, 4711)) == example("hello")
    assert msgpack.unpackb(example("hello")) == ["hello", "sim.a", 1, 4711]


@pytest.mark.parametrize(
    "kind",
    [
        commands.Hello, commands.Ready, commands.Heartbeat, commands.Failed, commands.Done, commands.LogRecord,
        commands.Stop, commands.Fenced, commands.WorkersStarted, commands.WorkerChanged,
    ],
)  # fmt: skip
def test_every_control_message_has_the_documented_fields(kind: type[msgspec.Struct]) -> None:
    told = [name for name in documented_fields(str(kind.__struct_config__.tag)) if name != "thencounters"]
    assert told == list(kind.__struct_fields__)[: len(told)]
