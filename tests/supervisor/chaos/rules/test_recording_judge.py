"""Live rows against those of a replay: what counts as missing, as excused, as a tail."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Trade
from foxtrot_supervisor.chaos.rules.recording_judge import (
    TAIL_NS,
    HandledRow,
    RecordingAccount,
    compare_rows,
    judge_recording,
    pack_event,
    unpack_rows,
)


def trade(number: int, **more: object) -> Trade[str]:
    fields = {"exchange": "SIM", "symbol": "A", "exchange_ns": 1, "receive_ns": 100 + number, "price": "1", "size": "2"}
    return Trade(**{**fields, "side": "buy", "trade_id": str(number), **more})  # type: ignore[arg-type]


def rows(*events: object, timed: bool = True) -> list[HandledRow]:
    return list(unpack_rows(b"".join(pack_event(event, timed=timed) for event in events)))


def compare(
    live: list[HandledRow],
    replayed: list[HandledRow],
    kills: Sequence[int] = (),
    holes: Sequence[tuple[int, int]] = (),
) -> RecordingAccount:
    return compare_rows(live, replayed, kills, holes)


def test_the_way_through_a_run_does_not_count_and_everything_else_does() -> None:
    (plain,) = rows(trade(1))
    assert rows(trade(1, publish_ns=9, redelivered=True)) == [plain]
    assert rows(trade(1, price="1.0"))[0].digest != plain.digest
    assert rows(trade(1, receive_ns=7))[0].digest != plain.digest
    assert rows(trade(1, receive_ns=7), timed=False)[0].digest == rows(trade(1), timed=False)[0].digest
    assert list(unpack_rows(pack_event(trade(1), timed=True)[:-1])) == []


def test_a_book_is_one_stream() -> None:
    snapshot: BookSnapshot[str] = BookSnapshot("SIM", "A", 1, 2, [], [], "1", "1", None)
    delta: BookDelta[str] = BookDelta("SIM", "A", 1, 2, [], [], "2", "2", None)
    first, second = rows(snapshot, delta)
    assert first.stream != rows(trade(1))[0].stream
    assert first.stream == second.stream


def test_equal_runs() -> None:
    both = rows(trade(1), trade(2), trade(2))
    account = compare(both, both)
    assert (account.live, account.missing, account.extra, account.tails, account.misordered) == (3, 0, 0, 0, 0)
    assert judge_recording(account, []) == []


def test_what_is_missing_extra_or_misordered_is_broken() -> None:
    account = compare(rows(trade(1), trade(2), trade(3)), rows(trade(3), trade(2), trade(4)))
    assert (account.missing, account.extra, account.misordered) == (1, 1, 1)
    assert [text.split()[0] for text in judge_recording(account, ["c.zst: torn"])] == ["a", "1", "the", "1"]
    assert judge_recording(compare([], []), []) == ["handlers had no events"]


@pytest.mark.parametrize(("holes", "broken"), [([(0, 50)], 1), ([(90, 101)], 0), ([(0, 50), (100, 102)], 0)])
def test_what_is_announced_is_excused(holes: list[tuple[int, int]], broken: int) -> None:
    account = compare(rows(trade(1), trade(5)), rows(trade(5)), holes=holes)
    assert (account.missing, len(judge_recording(account, []))) == (1, broken)


def test_what_was_recorded_directly_before_a_kill_is_a_tail() -> None:
    live, replayed = rows(trade(1)), rows(trade(1), trade(2))
    assert compare(live, replayed, (102,)).tails == 1
    assert compare(live, replayed, (102,)).extra == 0
    assert compare(live, replayed, (103 + TAIL_NS,)).extra == 1
