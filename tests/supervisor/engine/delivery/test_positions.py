"""Positions of streams: read back by the next engine as the last one left them, however that ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxtrot_protocol.events import EVENT_LIQUIDATION, EVENT_MARKET_TRADE
from foxtrot_supervisor.engine.delivery import positions as position_file
from foxtrot_supervisor.engine.delivery.positions import FILE_NAME, PositionFile
from foxtrot_supervisor.engine.delivery.streams import HOLES_MAX, REMEMBERED_MAX, Hole, Stream, StreamKey


def stream(symbol: str, last: int = 0, rule: str = "sequence", kind: str = EVENT_MARKET_TRADE) -> Stream:
    made = Stream(StreamKey(kind, symbol), rule, "SIM")
    made.last, made.exchange_ns, made.receive_ns = last, last * 10, last * 100
    return made


def reopened(folder: Path, connection: str = "c") -> list[Stream]:
    file = PositionFile.open(str(folder))
    assert file.damage == ""
    try:
        return file.restored(connection)
    finally:
        file.close()


def test_what_was_saved_last_is_restored(tmp_path: Path) -> None:
    file = PositionFile.open(str(tmp_path))
    one, two = stream("ONE", 5), stream("TWO", 7)
    file.save("c", one)
    file.save("c", two)
    file.save("d", stream("ONE", 9))
    one.last = 6
    one.change(holes=(Hole(1, 2, 3, 4),), sides=(("a", 2),), fill=(1, 2), valid=False, equal=(8,), leader="a")
    file.save("c", one)
    file.close()
    back = {each.key.symbol: each for each in reopened(tmp_path)}
    assert (back["ONE"].last, back["ONE"].exchange_ns, back["ONE"].receive_ns) == (6, 50, 500)
    assert back["ONE"].state == one.state
    assert (back["TWO"].last, back["TWO"].rule, back["TWO"].exchange) == (7, "sequence", "SIM")
    assert [each.last for each in reopened(tmp_path, "d")] == [9]
    assert reopened(tmp_path, "unheard-of") == []
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_restored_stream_is_saved_in_its_place(tmp_path: Path) -> None:
    file = PositionFile.open(str(tmp_path))
    file.save("c", stream("ONE", 5))
    file.close()
    for last in range(6, 10):
        file = PositionFile.open(str(tmp_path))
        (one,) = file.restored("c")
        one.last = last
        file.save("c", one)
        file.close()
    assert [each.last for each in reopened(tmp_path)] == [9]


@pytest.mark.parametrize("byte", range(0, 48, 5))
def test_a_mark_that_is_damaged_leaves_the_one_before(tmp_path: Path, byte: int) -> None:
    file = PositionFile.open(str(tmp_path))
    one = stream("ONE", 5)
    file.save("c", one)
    one.last = 6
    file.save("c", one)
    at = one.slot.offset + position_file._LIGHT_AT + (one.slot.light & 1) * position_file._LIGHT_BYTES
    if byte >= position_file._LIGHT.size + 4:
        return
    file._map[at + byte] ^= 0x40
    file.close()
    assert [each.last for each in reopened(tmp_path)] == [5]


def test_a_state_that_is_damaged_leaves_the_one_before(tmp_path: Path) -> None:
    file = PositionFile.open(str(tmp_path))
    one = stream("ONE", 5)
    file.save("c", one)
    one.change(leader="b")
    file.save("c", one)
    at = one.slot.offset + position_file._STATE_AT + (one.slot.state & 1) * position_file._STATE_BYTES
    file._map[at + position_file._STATE.size + 2] ^= 0x40
    file.close()
    assert [each.state.leader for each in reopened(tmp_path)] == [""]


def test_remembered_events_come_back_the_oldest_first(tmp_path: Path) -> None:
    file = PositionFile.open(str(tmp_path))
    one = stream("ONE", rule="content", kind=EVENT_LIQUIDATION)
    assert one.window is not None
    for value in range(1, REMEMBERED_MAX + 11):
        one.window.add(value)
        one.window.settle()
        file.save("c", one)
    file.close()
    (back,) = reopened(tmp_path)
    assert back.window is not None
    assert list(back.window._hashes) == list(range(11, REMEMBERED_MAX + 11))


def test_a_slot_that_was_never_finished_is_used_again(tmp_path: Path) -> None:
    file = PositionFile.open(str(tmp_path))
    file.save("c", stream("ONE", 5))
    two = stream("TWO", 6)
    file.save("c", two)
    file._map[two.slot.offset : two.slot.offset + 8] = bytes(8)
    file.close()
    file = PositionFile.open(str(tmp_path))
    assert [each.key.symbol for each in file.restored("c")] == ["ONE"]
    file.save("c", stream("SIX", 7))
    file.close()
    assert [each.key.symbol for each in reopened(tmp_path)] == ["ONE", "SIX"]


def test_a_slot_without_a_mark_is_passed_over(tmp_path: Path) -> None:
    """Killed between making the slot and writing the first mark."""
    file = PositionFile.open(str(tmp_path))
    file._allocate("c", stream("ONE"))
    file.save("c", stream("TWO", 6))
    file.close()
    assert [each.key.symbol for each in reopened(tmp_path)] == ["TWO"]


@pytest.mark.parametrize(("offset", "reason"), [(0, "not a file"), (16, "slot at"), (72, "slot at"), (84, "slot at")])
def test_damage_is_told_and_what_comes_is_saved_again(tmp_path: Path, offset: int, reason: str) -> None:
    file = PositionFile.open(str(tmp_path))
    file.save("c", stream("ONE", 5))
    file.close()
    path = tmp_path / FILE_NAME
    data = bytearray(path.read_bytes())
    if offset == 16:  # both marks
        at = 64 + position_file._LIGHT_AT
        data[at : at + 96] = bytes([7]) * 96
    else:
        data[offset] ^= 0x40
    path.write_bytes(data)
    file = PositionFile.open(str(tmp_path))
    assert reason in file.damage
    assert file.restored("c") == []
    file.save("c", stream("SIX", 7))
    file.close()
    file = PositionFile.open(str(tmp_path))
    assert [each.key.symbol for each in file.restored("c")] == ["SIX"]
    file.close()


def test_a_file_of_an_impossible_size_is_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"x" * 1000)
    assert reopened(tmp_path) == []


def test_the_file_grows_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(position_file, "FILE_BYTES_MAX", 2 * position_file._GROWTH_BYTES)
    file = PositionFile.open(str(tmp_path))
    for number in range(400):
        file.save("c", stream(f"S{number}", number))
    long_named = stream("x" * 600)
    file.save("c", long_named)
    file.save("c", long_named)
    unsaved = file.unsaved_total
    file.close()
    kept = reopened(tmp_path)
    assert len(kept) + unsaved == 401
    assert 100 < len(kept) < 200
    assert [each.last for each in kept] == list(range(len(kept)))


def test_no_room_on_the_disk_costs_positions_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = PositionFile.open(str(tmp_path))

    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    for number in range(200):
        file.save("c", stream(f"S{number}", number))
    assert file.unsaved_total > 0
    file.close()


def test_more_holes_than_fit_lose_the_oldest(tmp_path: Path) -> None:
    file = PositionFile.open(str(tmp_path))
    one = stream("ONE", 5)
    holes = tuple(Hole(1 << 60, 1 << 60, 1 << 60, 1 << 60) for _ in range(HOLES_MAX))
    one.change(
        holes=(*holes, *holes, Hole(1, 1, 1, 1)), sides=(("a", 1 << 60), ("b", 1 << 60)), fill=(1 << 60, 1 << 60)
    )
    file.save("c", one)
    one.change(equal=(1 << 60,) * 500, holes=())
    file.save("c", one)  # far over any bound of ours: the one before stays
    file.close()
    (back,) = reopened(tmp_path)
    assert back.state.holes[-1] == Hole(1, 1, 1, 1)
    assert HOLES_MAX <= len(back.state.holes) <= 2 * HOLES_MAX
