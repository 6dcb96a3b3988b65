"""A short, seeded run of `scripts/fuzz.py`, and negative controls that it must detect."""

from __future__ import annotations

import random
import time
from importlib.metadata import entry_points
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot_protocol import control, ring_layout
from foxtrot_protocol.ring_layout import RECORD_BYTES, Record
from foxtrot_supervisor.engine.delivery.accounts import Accounts
from foxtrot_supervisor.sinks.spool import Segment
from foxtrot_supervisor.sinks.spool_reader import SpoolReader
from foxtrot_workers.exchanges.upbit.adapter import Upbit
from tests.support import fuzz_targets, fuzzing
from tests.support.exchange_frames import EXCHANGE_TARGETS, FRAMES
from tests.support.fuzz_targets import TARGETS, LiveRing, Requests, RingRecords
from tests.support.fuzzing import fuzz, mutate
from tests.support.sink_fuzz import SinkRings, SpoolSegments

INPUTS = 1500


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_refused_or_read_correctly(name: str) -> None:
    report = fuzz(TARGETS[name], max(1, int(INPUTS * TARGETS[name].share)), seed=1)
    assert report.failure == "", report.input_hex
    assert report.rejected > 0, "no input was damaged enough to be refused"
    assert report.accepted + report.rejected == report.inputs


def test_every_installed_exchange_is_fuzzed() -> None:
    installed = {point.name for point in entry_points(group="foxtrot.exchanges") if point.module.startswith("foxtrot_")}
    assert {adapter.name for adapter in FRAMES} == installed


def test_a_parser_that_is_slow_or_raises_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    target = EXCHANGE_TARGETS["upbit_frames"]
    taken = Upbit.parse

    def slow(self: Upbit, frame: bytes, receive_ns: int, out: list[Any]) -> None:
        until = time.thread_time() + 0.011
        while time.thread_time() < until:
            pass
        taken(self, frame, receive_ns, out)

    def raising(self: Upbit, frame: bytes, receive_ns: int, out: list[Any]) -> None:
        if b"\x00" in frame:
            raise KeyError("code")
        taken(self, frame, receive_ns, out)

    monkeypatch.setattr(Upbit, "parse", slow)
    assert "one input took" in fuzz(target, 5, seed=1).failure
    monkeypatch.setattr(Upbit, "parse", raising)
    assert "parse raised KeyError" in fuzz(target, INPUTS, seed=1).failure


@settings(max_examples=100)
@given(st.data())
def test_arbitrary_bytes_are_refused_or_read_correctly(data: st.DataObject) -> None:
    """Mutations chosen by hypothesis, for the readers that need no file."""
    target = TARGETS[
        data.draw(st.sampled_from([name for name in TARGETS if name not in ("live_ring", "zmq_batches")]))
    ]()
    sample = data.draw(st.sampled_from(list(target.samples())))
    start, length = data.draw(st.integers(0, len(sample))), data.draw(st.integers(0, 20))
    changed = sample[:start] + data.draw(st.binary(max_size=20)) + sample[start + length :]
    target.feed(changed, random.Random(1))
    target.feed(data.draw(st.binary(max_size=300)), random.Random(1))


def test_the_same_seed_gives_the_same_inputs() -> None:
    samples = [b"one good sample", b"and another one"]
    first, again = ([mutate(random.Random(7), samples) for _ in range(3)] for _ in range(2))
    assert first == again
    chance = random.Random(7)
    inputs = {mutate(chance, samples) for _ in range(300)}
    assert len(inputs) > 250
    assert all(len(data) < 300 for data in inputs)


# ---- negative controls: the fuzzer must find the defect of a broken reader


def test_a_ring_without_checksums_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    def believes_everything(data: memoryview, offset: int, position: int, head: int) -> Record:
        _, length, sequence, before, events, _ = ring_layout._RECORD.unpack_from(data, offset)
        batch = bytes(data[offset + RECORD_BYTES : offset + RECORD_BYTES + length])
        return Record(sequence, before, events, batch, position + ring_layout.record_size(length))

    monkeypatch.setattr(ring_layout, "_record_at", believes_everything)
    report = fuzz(RingRecords, INPUTS, seed=1)
    assert report.undetected == 1
    assert "not what was written" in report.failure


def test_an_unannounced_gap_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Accounts, "announce", lambda *_: None)
    for level in ("warning", "error"):
        monkeypatch.setattr(fuzz_targets._Log, level, lambda *_, **__: None)
    report = fuzz(LiveRing, INPUTS, seed=1)
    assert "nobody says so" in report.failure


def test_a_reader_that_raises_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Requests, "decode", lambda _, line: control._request_decoder.decode(line))
    report = fuzz(Requests, INPUTS, seed=1)
    assert report.failure.startswith(("ValidationError", "DecodeError", "UnicodeDecodeError"))
    assert report.input_hex


def test_a_reader_that_leaks_memory_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    class Leaking(Requests):
        kept: list[bytes] = []  # noqa: RUF012 - grows on purpose

        def feed(self, data: bytes, chance: random.Random) -> bool:
            self.kept.append(bytes(1 << 15))
            self.kept[-1] = self.kept[-1].replace(b"\0", b"\1")
            return True

    monkeypatch.setattr(fuzzing, "GROWTH_MIB_MAX", 8.0)
    assert "the process grew by" in fuzz(Leaking, INPUTS, seed=1).failure
    Leaking.kept.clear()


def test_rows_of_a_spool_that_are_missing_without_a_count_are_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(self: SpoolReader, segment: Segment) -> None:
        self._next = max(self._next, segment.first_row)

    monkeypatch.setattr(SpoolReader, "_pass_to", silent)
    report = fuzz(SpoolSegments, INPUTS, seed=1)
    assert "rows are missing, 0 are counted" in report.failure
    assert report.undetected == 1


def test_an_event_that_a_sink_misses_silently_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Accounts, "announce_lost", lambda *_: None)
    monkeypatch.setattr(Accounts, "violated", lambda *_: None)
    assert fuzz(SinkRings, INPUTS, seed=1).failure
