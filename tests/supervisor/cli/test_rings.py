"""The command `rings`: what it prints of good and of damaged files. Rings of a real run: tests/integration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import Trade
from foxtrot_protocol.ring_layout import CAPACITY_MIN, HEADER_BYTES
from foxtrot_workers.feed.ring_writer import RingWriter
from tests.support.called_commands import Run

TRADE = Trade("SIM", "BTCUSDT", 1, 2, "100.10", "0.5", "buy", "7")
UNKNOWN = {1: b"\x00\xff", "when": msgpack.ExtType(5, b"x"), "text": "a\x1b[31m"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A run directory with a ring of three batches: one of the product, one of any msgpack, one of rubbish."""
    place = tmp_path / "foxtrot"
    place.mkdir(mode=0o700)
    writer = RingWriter(str(place), "w.a", 1, CAPACITY_MIN, connection="w", side="a")
    batches = [BatchEncoder("w.a", 1).encode(1, 3, [TRADE]), msgpack.packb(UNKNOWN), b"\xc1rubbish"]
    for sequence, data in enumerate(batches, start=1):
        assert writer.append(sequence, 1, data)
    yield place
    writer.close()


def test_rings_as_json(run: Run, folder: Path) -> None:
    assert run("rings", "--json") == 0
    (report,) = run.lines()
    (ring,) = report["rings"]
    assert (report["run_dir"], report["running"]) == (str(folder), False)
    assert (ring["worker"], ring["incarnation"], ring["connection"], ring["side"]) == ("w.a", 1, "w", "a")
    assert ring["file"] == str(folder / "ring-w.a-1")
    assert (ring["capacity_bytes"], ring["size_bytes"]) == (CAPACITY_MIN, CAPACITY_MIN + HEADER_BYTES)
    assert (ring["committed_events"], ring["applied_events"], ring["lost_events"]) == (3, 0, 0)
    assert ring["marks"]["committed"]["sequence"] == 3
    assert ring["error"] == ""


def test_rings_as_a_table(run: Run, folder: Path) -> None:
    assert run("rings", "--run-dir", str(folder)) == 0
    first, header, row = run.out.splitlines()
    assert first == f"{folder}: 1 ring(s), no supervisor is running"
    assert header.split() == ["ring", "size", "used", "committed", "applied", "lost", "dropped", "waiting"]
    assert row.split()[:3] == ["w.a#1", "0.00390625", "MiB"]
    assert row.endswith("3 batches")


def test_the_dump_has_a_line_for_each_batch(run: Run, folder: Path) -> None:
    assert run("rings", "--dump", "--json") == 0
    ring, first, second, third = run.lines()
    assert (ring["kind"], ring["worker"]) == ("ring", "w.a")
    assert [line["kind"] for line in (first, second, third)] == ["batch"] * 3
    assert first["content"][:4] == [2, "w.a", 1, 1]
    assert first["content"][5][0][:3] == ["trade", "SIM", "BTCUSDT"]
    assert second["content"] == {"1": "b'\\x00\\xff'", "when": "ExtType(code=5, data=b'x')", "text": "a\x1b[31m"}
    assert third["content"] == b"\xc1rubbish".hex()
    assert third["error"].startswith("is no msgpack")


def test_the_dump_for_people_has_no_control_characters(run: Run, folder: Path) -> None:
    assert run("rings", "--dump") == 0
    assert "w.a#1 batch 1, 1 events, " in run.out
    assert '"BTCUSDT"' in run.out
    assert "is no msgpack" in run.out
    assert "\x1b" not in run.out


def test_damaged_rings_and_records_are_shown_as_such(run: Run, folder: Path) -> None:
    (folder / "ring-x.a-1").write_bytes(b"rubbish")
    with (folder / "ring-w.a-1").open("r+b") as file:
        file.seek(HEADER_BYTES + 40)
        file.write(b"XX")
    assert run("rings", "--dump") == 0
    assert "x.a#1: damaged: ring: a header has 4096 bytes, this has 7" in run.out
    assert "w.a#1 damaged at position 0: ring: the checksum of a record does not fit; readable again from " in run.out
    assert run("rings", "--dump", "--json") == 0
    assert [line["kind"] for line in run.lines()] == ["ring", "damage", "batch", "batch", "ring"]


def test_without_a_run_directory_it_is_3(run: Run, tmp_path: Path) -> None:
    assert run("rings") == 3
    assert f"no run directory is found (looked in {tmp_path}/foxtrot)" in run.err


def test_a_directory_of_another_user_is_refused(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.system.private_files.os.geteuid", lambda: 12345)
    assert run("rings", "--run-dir", str(folder)) == 3
    assert "belongs to uid" in run.err
