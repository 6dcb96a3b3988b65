"""The ring's layout: what is written is read back, and nothing else is ever believed."""

from __future__ import annotations

import mmap
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol import ring_layout
from foxtrot_protocol.codec import BATCH_BYTES_MAX
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import (
    CAPACITY_MAX,
    CAPACITY_MIN,
    HEADER_BYTES,
    MAGIC,
    RECORD_BYTES,
    AppliedMark,
    CommitMark,
    Record,
    RingIdentity,
    Word,
)


class Model:
    """A ring in memory, written and read by the rules of the layout."""

    def __init__(self, capacity: int = CAPACITY_MIN) -> None:
        self.capacity = capacity
        self.data = bytearray(capacity)
        self.head = self.tail = self.sequence = self.events = 0

    def append(self, batch: bytes, events: int = 1) -> bool:
        size = ring_layout.record_size(len(batch))
        start = ring_layout.plan_append(self.head, self.tail, self.capacity, size)
        if start is None:
            return False
        if start != self.head:
            unused = self.head % self.capacity
            self.data[unused : unused + 8] = ring_layout.wrap_marker()
        offset = start % self.capacity
        self.sequence += 1
        ring_layout.put_record(self.data, offset, self.sequence, self.events, events, batch)
        self.head = start + size
        self.events += events
        return True

    def read(self) -> Record | None:
        """Both ways of reading give the same."""
        found: list[Record | str | None] = []
        for copied_max in (0, CAPACITY_MAX):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ring_layout, "COPIED_BYTES_MAX", copied_max)
                try:
                    found.append(ring_layout.read_record(memoryview(self.data), self.tail, self.head))
                except MalformedMessage as error:
                    found.append(error.reason)
        assert found[0] == found[1]
        record = found[0]
        if isinstance(record, str):
            raise MalformedMessage(record)
        if record is not None:
            self.tail = record.end
        return record

    def find(self, first: int = 1, last: int = 1 << 63) -> Record | None:
        return ring_layout.find_record(memoryview(self.data), self.tail, self.head, first, last)


@given(st.lists(st.one_of(st.binary(max_size=2000), st.none()), max_size=200), st.integers(512, 1024))
def test_what_is_appended_is_read_back_in_order(steps: list[bytes | None], eighths: int) -> None:
    ring = Model(eighths * 8)
    waiting: list[tuple[int, bytes]] = []
    for step in steps:
        if step is None:
            record = ring.read()
            assert (None if record is None else (record.sequence, record.data)) == (waiting.pop(0) if waiting else None)
        elif ring.append(step):
            waiting.append((ring.sequence, step))
        else:
            assert waiting, "an empty ring takes any batch up to half of it"
        assert 0 <= ring.head - ring.tail <= ring.capacity
        assert ring.head % 8 == 0
    while waiting:
        record = ring.read()
        assert record is not None
        assert (record.sequence, record.data) == waiting.pop(0)
    assert ring.read() is None


def test_the_largest_batch_always_fits_an_empty_ring() -> None:
    largest = ring_layout.batch_bytes_max(CAPACITY_MIN)
    for _ in range(7):
        ring = Model()
        ring.head = ring.tail = 1000
        assert ring.append(b"x" * largest)
        assert ring.read() is not None
    assert ring_layout.batch_bytes_max(1 << 30) == BATCH_BYTES_MAX


def over_a_lap() -> tuple[Model, int]:
    """Return a ring whose latest record begins the second lap, and where the record before it ends."""
    ring = Model()
    size = (CAPACITY_MIN - 400) // 2
    for _ in range(2):
        assert ring.append(b"x" * size)
    ring.tail = before = ring.head
    assert CAPACITY_MIN - before > RECORD_BYTES, "there is room for a marker"
    assert ring.append(b"y" * 1000, events=7)
    return ring, before


def test_a_record_that_does_not_fit_begins_the_next_lap() -> None:
    ring, _ = over_a_lap()
    record = ring.read()
    assert record is not None
    assert (record.sequence, record.data, record.events) == (3, b"y" * 1000, 7)
    assert record.end == CAPACITY_MIN + ring_layout.record_size(1000)
    assert ring.read() is None


def test_a_reader_who_has_the_batch_finds_its_record_by_size_and_compares_it() -> None:
    ring, before = over_a_lap()
    file = mmap.mmap(-1, HEADER_BYTES + CAPACITY_MIN)
    file[HEADER_BYTES:] = bytes(ring.data)
    small, large = ring_layout.record_size(40), ring_layout.record_size(1000)
    assert ring_layout.place(file, 0, large, CAPACITY_MIN) == 0
    assert ring_layout.place(file, before, large, CAPACITY_MIN) == CAPACITY_MIN, "it does not fit into the rest"
    assert ring_layout.place(file, before, small, CAPACITY_MIN) == CAPACITY_MIN, "a marker leaves out the rest"
    data = b"y" * 1000
    assert ring_layout.is_record_of(file, HEADER_BYTES, 3, data)
    assert not ring_layout.is_record_of(file, HEADER_BYTES, 4, data)
    assert not ring_layout.is_record_of(file, HEADER_BYTES, 3, data[:-1])
    assert not ring_layout.is_record_of(file, HEADER_BYTES, 3, b"z" * 1000)
    file[HEADER_BYTES + RECORD_BYTES] ^= 1
    assert ring_layout.is_record_of(file, HEADER_BYTES, 3, data), (
        "damaged in the ring: the checksum still is that of the batch"
    )
    file[HEADER_BYTES + RECORD_BYTES - 1] ^= 1
    assert not ring_layout.is_record_of(file, HEADER_BYTES, 3, data), "the last field of a record is zero"


@pytest.mark.parametrize(("head", "tail"), [(8, 16), (CAPACITY_MIN * 2, 0), (CAPACITY_MIN, 0), (1 << 40, 7)])
def test_no_room_and_impossible_tails_take_nothing(head: int, tail: int) -> None:
    assert ring_layout.plan_append(head, tail, CAPACITY_MIN, 40) is None


def filled(batches: int = 20, size: int = 100) -> Model:
    ring = Model()
    for number in range(batches):
        assert ring.append(bytes([number]) * size, events=number + 1)
    return ring


@given(st.integers(0), st.integers(0, 7))
def test_every_flipped_bit_is_noticed(place: int, bit: int) -> None:
    ring = filled()
    original = bytes(ring.data)
    place %= ring.head
    ring.data[place] ^= 1 << bit
    good = []
    while True:
        try:
            record = ring.read()
        except MalformedMessage:
            record = ring.find(len(good) + 1)
            if record is None:
                break
            ring.tail = record.end
        if record is None:
            break
        good.append(record)
    for record in good:
        assert record.data == bytes([record.sequence - 1]) * 100, "never applied damaged"
        assert record.events_before == sum(range(record.sequence))
    # padding behind a record is not checked, for it says nothing
    damaged = {r.sequence for r in good} != set(range(1, 21))
    if not damaged:
        offset = place % ring_layout.record_size(100)
        assert offset >= RECORD_BYTES + 100
    assert len(good) >= 19, "what is intact behind the damage is found"
    assert original != bytes(ring.data)


def test_random_mutations_never_crash_or_read_beyond() -> None:
    """Seeded: flips, overwritten stretches and impossible positions. Bounded work each, whatever the bytes say."""
    chance = random.Random(20)
    template = filled()
    for _ in range(4_000):
        ring = Model()
        ring.data[:] = template.data
        ring.head, ring.sequence = template.head, template.sequence
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(ring.capacity)
            ring.data[at : at + 8] = chance.randbytes(8)[: ring.capacity - at]
        if chance.random() < 0.2:
            ring.head = chance.choice([0, 8, 12345, ring.capacity * 3, 1 << 63])
        for _ in range(40):
            try:
                record = ring.read()
            except MalformedMessage:
                record = ring.find(1, 20)
                if record is None:
                    break
                ring.tail = record.end
            if record is None:
                break
            assert record.data == bytes([record.sequence - 1]) * 100
        assert len(ring.data) == ring.capacity


@given(st.integers(), st.integers(0, 1 << 64), st.integers(0, 1 << 64))
def test_random_bytes_are_no_record(seed: int, position: int, head: int) -> None:
    view = memoryview(random.Random(seed).randbytes(CAPACITY_MIN))
    try:
        assert ring_layout.read_record(view, position, head) is None
        assert position == head
    except MalformedMessage:
        pass
    assert ring_layout.find_record(view, position, head, 1, 1 << 63) is None


def test_a_record_that_claims_too_much_or_stands_where_none_fits_is_damage() -> None:
    ring = filled(1, 100)
    ring.data[4:8] = (BATCH_BYTES_MAX + 1).to_bytes(4, "little")
    with pytest.raises(MalformedMessage, match="a record of"):
        ring.read()
    with pytest.raises(MalformedMessage, match="no room"):
        ring_layout.read_record(memoryview(ring.data), 0, 8)
    with pytest.raises(MalformedMessage, match="cannot follow"):
        ring_layout.read_record(memoryview(ring.data), 8, 0)


def test_the_search_behind_damage_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = filled()
    ring.data[0] ^= 1
    monkeypatch.setattr(ring_layout, "RESYNC_BYTES_MAX", 64)
    assert ring.find(2) is None
    monkeypatch.undo()
    found = ring.find(2)
    assert found is not None
    assert found.sequence == 2


def test_the_search_goes_over_the_end_of_a_lap() -> None:
    ring = Model(CAPACITY_MIN)
    ring.head = ring.tail = CAPACITY_MIN - 48
    for _ in range(2):
        assert ring.append(b"y" * 50)
    ring.data[CAPACITY_MIN - 48] ^= 1  # the wrap marker
    with pytest.raises(MalformedMessage):
        ring.read()
    found = ring.find()
    assert found is not None
    assert found.sequence == 1


# ---- names, identity, marks


@pytest.mark.parametrize(("worker", "incarnation"), [("a.b", 1), ("binance-spot.a", 12), ("x-1.b", 10**17)])
def test_names_come_back(worker: str, incarnation: int) -> None:
    assert ring_layout.parse_ring_name(ring_layout.ring_name(worker, incarnation)) == (worker, incarnation)
    assert ring_layout.is_worker_name(worker)


@pytest.mark.parametrize("name", ["ring-", "ring-a", "ring--1", "ring-a-", "ring-a-01", "rung-a-1", "ring-a-²", "lock"])
def test_other_names_are_none(name: str) -> None:
    assert ring_layout.parse_ring_name(name) is None


def header(worker: str = "w.a", capacity: int = CAPACITY_MIN, magic: int = MAGIC) -> bytearray:
    page = bytearray(HEADER_BYTES)
    packed = ring_layout.pack_identity(RingIdentity(worker, 3, capacity))
    page[: len(packed)] = packed
    page[:8] = magic.to_bytes(8, "little")
    return page


def test_the_identity_comes_back_once_it_is_finished() -> None:
    assert ring_layout.read_identity(bytes(header(magic=0))) is None
    assert ring_layout.figures(bytes(header(magic=0))) is None
    assert ring_layout.read_identity(bytes(header("ü.a"))) == RingIdentity("ü.a", 3, CAPACITY_MIN)


@pytest.mark.parametrize(
    ("worker", "capacity"),
    [("x" * 201, CAPACITY_MIN), ("w", CAPACITY_MIN - 8), ("w", CAPACITY_MIN + 1), ("w", 1 << 31)],
)
def test_impossible_identities_are_not_written(worker: str, capacity: int) -> None:
    with pytest.raises(ValueError):
        ring_layout.pack_identity(RingIdentity(worker, 1, capacity))


@given(st.integers(0, 42), st.integers(0, 7))
def test_a_flipped_bit_in_the_identity_is_noticed(place: int, bit: int) -> None:
    page = header()
    page[place] ^= 1 << bit
    with pytest.raises(MalformedMessage):
        ring_layout.read_identity(bytes(page))


def test_headers_that_are_none() -> None:
    with pytest.raises(MalformedMessage, match="has 5"):
        ring_layout.read_identity(b"short")


@pytest.mark.parametrize(
    ("capacity", "name", "rules", "reason"),
    [
        (12, b"w", b"", "capacity"),
        (CAPACITY_MIN, b"\xff", b"", "no text"),
        (CAPACITY_MIN, b"w" * 201, b"", "too long"),
        (CAPACITY_MIN, b"w", b"eBook.=unheard-of", "identity rules"),
        (CAPACITY_MIN, b"w", b"\xff", "identity rules"),
    ],
)
def test_identities_with_a_good_checksum_and_nonsense(capacity: int, name: bytes, rules: bytes, reason: str) -> None:
    facts = ring_layout._IDENTITY.pack(MAGIC, 2, HEADER_BYTES, capacity, 1)
    lengths = len(name), 0, 0, len(rules)
    checksum = ring_layout._crc32(facts[8:])
    checksum = ring_layout._crc32(name + rules, ring_layout._crc32(ring_layout._LENGTHS.pack(*lengths, 0, 0), checksum))
    page = facts + ring_layout._LENGTHS.pack(*lengths, checksum, 0) + name + rules
    with pytest.raises(MalformedMessage, match=reason):
        ring_layout.read_identity(page.ljust(HEADER_BYTES, b"\0"))


def test_connection_side_and_rules_come_back() -> None:
    rules = {"eMarketTrade.": "sequence", "eBook.": "update_ids"}
    identity = RingIdentity("spot.b", 7, CAPACITY_MIN, "spöt", "b", rules)
    page = ring_layout.pack_identity(identity).ljust(HEADER_BYTES, b"\0")
    assert ring_layout.read_identity(MAGIC.to_bytes(8, "little") + page[8:]) == identity


@pytest.mark.parametrize("more", [{"connection": "x" * 201}, {"side": "x" * 9}, {"rules": {"eBook.": "guess"}}])
def test_impossible_connections_sides_and_rules_are_not_written(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ring_layout.pack_identity(RingIdentity("w", 1, CAPACITY_MIN, **more))


def words(**values: int) -> memoryview:
    view = memoryview(bytearray(HEADER_BYTES)).cast("Q")
    for name, value in values.items():
        kind, _, plus = name.partition("_PLUS_")
        view[Word[kind] + int(plus or 0)] = value
    return view


def test_the_workers_mark() -> None:
    assert ring_layout.commit_mark(words()) == CommitMark(0, 0, 0)
    assert ring_layout.commit_mark(words(HEAD=64)) is None
    mark = words(HEAD=64, COMMIT_MARK_PLUS_8=64, COMMIT_MARK_PLUS_9=2, COMMIT_MARK_PLUS_10=7, COMMIT_MARK_PLUS_0=32)
    assert ring_layout.commit_mark(mark) == CommitMark(64, 2, 7)


class Moving:
    """Words whose head moves on while its mark is read."""

    def __init__(self) -> None:
        self.heads = [64, 96]

    def __getitem__(self, at: int) -> int:
        return self.heads.pop(0) if at == Word.HEAD else 64


def test_a_mark_that_is_replaced_while_it_is_read_is_none() -> None:
    assert ring_layout.commit_mark(Moving()) is None  # type: ignore[arg-type]  # words, as far as it goes


def test_the_engines_mark() -> None:
    assert ring_layout.applied_mark(words()) == AppliedMark(0, 0, 0, 0)
    assert ring_layout.applied_place(words()) == -1
    assert ring_layout.applied_mark(words(APPLIED=5)) is None
    mark = words(APPLIED=5, APPLIED_MARK_PLUS_8=5, APPLIED_MARK_PLUS_9=50, APPLIED_MARK_PLUS_10=1)
    assert ring_layout.applied_mark(mark) == AppliedMark(5, 50, 1, 0)
    assert ring_layout.applied_place(mark) == 1


def test_figures() -> None:
    page = header("w.a", CAPACITY_MIN)
    view = memoryview(page).cast("Q")
    view[Word.HEAD], view[Word.TAIL] = 4096 + 64, 4096
    assert ring_layout.figures(bytes(page)) is None, "its mark is being replaced"
    view[Word.COMMIT_MARK], view[Word.COMMIT_MARK + 1], view[Word.COMMIT_MARK + 2] = 4096 + 64, 9, 30
    view[Word.APPLIED] = 8
    assert ring_layout.figures(bytes(page)) is None
    view[Word.APPLIED_MARK], view[Word.APPLIED_MARK + 1], view[Word.APPLIED_MARK + 2] = 8, 25, 2
    view[Word.DROPPED] = 3
    shown = ring_layout.figures(bytes(page))
    assert shown is not None
    assert (shown.worker, shown.incarnation, shown.capacity_bytes, shown.used_bytes) == ("w.a", 3, CAPACITY_MIN, 64)
    assert (shown.committed_events, shown.applied_events, shown.lost_events, shown.dropped_events) == (30, 25, 2, 3)


@given(st.binary(max_size=64))
def test_damaged_headers_give_figures_or_an_error(noise: bytes) -> None:
    page = header()
    page[1024 : 1024 + len(noise)] = noise
    ring_layout.figures(bytes(page))
