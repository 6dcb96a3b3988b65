"""The judge of delivery: what it holds to be lost, announced, doubled, and what it makes of that."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_supervisor.chaos.rules import delivery_judge as chaos_judge
from foxtrot_supervisor.chaos.rules.delivery_judge import (
    BACKFILLED,
    BOOK_STREAM,
    DELTA,
    FILLED,
    GAP,
    IMPOSSIBLE,
    OTHER_STREAM,
    REDELIVERED,
    ROW,
    SNAPSHOT,
    TIMED,
    TRADE,
    TRADE_STREAM,
    DeliveryAccount,
    Promises,
    account_for,
    judge_delivery,
    pack_row,
    possible_promises,
    trade_number,
)
from foxtrot_supervisor.chaos.rules.venues import VENUES

LEDGER: list[dict[str, Any]] = [
    {"what": "open", "connection": 0},
    {"what": "sent", "connection": 0, "stream": "btcusdt@trade", "ids": [10, 11, 12, 13], "times_ns": [1, 2, 3, 4]},
    {"what": "sent", "connection": 0, "stream": "btcusdt@bookTicker", "ids": [1, 2], "times_ns": [1, 2]},
    {
        "what": "unheard",
        "stream": "btcusdt@trade",
        "first_id": 14,
        "last_id": 15,
        "count": 2,
        "start_ns": 5,
        "end_ns": 6,
    },
    {"what": "made", "stream": "btcusdt@trade", "first_id": 1, "last_id": 20, "total": 20},
    {"what": "sent", "connection": 1, "stream": "btcusdt@trade", "ids": [16, 17, 18], "times_ns": [9, 9, 9]},
]

BINANCE = VENUES["binance"]


def trade(number: int, flags: int = 0, engine: int = 1, publish_ns: int = 5) -> bytes:
    return pack_row(TRADE, TRADE_STREAM, engine, "BTCUSDT", number, number, publish_ns, flags)


def trades(*numbers: int) -> bytes:
    return b"".join(trade(number) for number in numbers)


def gap(first: int, last: int, flags: int = 0, stream: int = TRADE_STREAM, engine: int = 1) -> bytes:
    return pack_row(GAP, stream, engine, "BTCUSDT", first, last, 0, flags)


def book(kind: int, first: int, last: int, flags: int = 0, engine: int = 1) -> bytes:
    return pack_row(kind, BOOK_STREAM, engine, "BTCUSDT", first, last, 0, flags)


def judged(rows: bytes) -> DeliveryAccount:
    return account_for(rows, LEDGER, BINANCE)


def test_trades_that_are_all_handled_or_announced_are_no_loss() -> None:
    account = judged(trades(10, 11, 12, 13) + gap(14, 15) + trades(16, 17))
    assert (account.sent, account.unheard, account.seen) == (6, 2, 6)
    assert (account.lost, account.announced, account.gaps) == (0, 2, 1)
    assert judge_delivery(account, Promises(whole=True)) == []
    assert judge_delivery(account, Promises(complete=True)) == ["2 trades are missing, though announced"]


def test_missing_trades_without_a_gap_are_lost() -> None:
    account = judged(trades(10, 11, 13, 16, 18))
    assert (account.lost, account.lost_runs) == (4, ["BTCUSDT 12", "BTCUSDT 14 to 15", "BTCUSDT 17"])
    assert account.torn == 2, "12 and 17: the connection brought later ones"
    assert judge_delivery(account, Promises(whole=True)) == [
        "4 trades are lost without a word: BTCUSDT 12, BTCUSDT 14 to 15, BTCUSDT 17",
        "2 trades are missing of what a connection has brought",
    ]


def test_announced_trades_that_arrive_are_counted() -> None:
    account = judged(trades(10, 11, 12) + gap(12, 12) + trades(13))
    assert account.announced_not_lost == 1
    assert judge_delivery(account, Promises()) == ["1 trades were announced as lost, and were not"]


def test_backfilled_trades_fill_a_hole() -> None:
    rows = trades(10, 11, 12, 13) + gap(14, 15) + trades(16, 17)
    account = judged(rows + trade(14, BACKFILLED) + trade(15, BACKFILLED) + gap(14, 15, FILLED) + trades(18))
    assert (account.backfilled, account.gaps, account.announced, account.out_of_order) == (2, 1, 0, 0)
    assert judge_delivery(account, Promises(complete=True, whole=True)) == []
    torn = judged(trades(10, 11, 13) + trade(12, BACKFILLED))
    assert torn.torn == 1, "the connection did not bring what was fetched"


def test_duplicates_and_trades_out_of_order_are_counted() -> None:
    account = judged(trades(10, 12, 11, 12))
    assert (account.duplicated, account.out_of_order) == (1, 1)
    assert judge_delivery(account, Promises()) == ["1 trades came twice, unmarked", "1 trades came out of order"]


def test_redelivered_trades_are_marked_and_at_most_one_batch_for_each_death() -> None:
    rows = trades(10, 11) + trade(10, REDELIVERED, 2) + trade(11, REDELIVERED, 2) + trade(12, REDELIVERED, 2)
    account = judged(rows)
    assert (account.redelivered, account.redelivered_batches, account.duplicated) == (3, 1, 0)
    assert judge_delivery(account, Promises(engines_killed=1)) == []
    assert judge_delivery(account, Promises()) == ["1 batches came again after 0 deaths of engines"]
    (marked,) = account.marked_by_engine.values()
    (repeated,) = account.repeated_by_engine.values()
    assert (marked, repeated) == (3, 2), "12 had not been given before"
    assert judge_delivery(account, Promises(handed_over=3)) == []
    assert judge_delivery(account, Promises(handed_over=2)) == ["3 trades were marked after one death, more than 2"]


def test_a_run_without_trades_is_broken() -> None:
    assert judge_delivery(judged(b""), Promises()) == ["handlers were given nothing"]
    unknown = account_for(trades(1), [], BINANCE)
    assert judge_delivery(unknown, Promises())


def test_a_stream_of_twins_begins_with_the_quicker_side() -> None:
    rows = trades(12, 13) + gap(14, 15) + trades(16)
    late, twins = account_for(rows, LEDGER, BINANCE), account_for(rows, LEDGER, BINANCE, twins=True)
    assert (late.lost, late.torn, late.sent) == (2, 2, 5)
    assert (twins.lost, twins.torn, twins.sent, twins.announced) == (0, 0, 3, 2)


def test_a_row_that_was_cut_off_is_left_out() -> None:
    assert judged(trades(10, 11) + trade(12)[:7]).seen == 2
    assert ROW.size == 48


@pytest.mark.parametrize(
    ("rows", "holes", "repeated"),
    [
        (book(SNAPSHOT, -1, 100) + book(DELTA, 99, 101) + book(DELTA, 102, 105), 0, 0),
        (book(DELTA, 102, 105), 1, 0),
        (book(SNAPSHOT, -1, 100) + book(DELTA, 101, 105, engine=2), 1, 0),
        (book(SNAPSHOT, -1, 100) + book(SNAPSHOT, -1, 99, engine=2) + book(DELTA, 100, 101, engine=2), 0, 0),
        (book(SNAPSHOT, -1, 100) + book(DELTA, 103, 105), 1, 0),
        (book(SNAPSHOT, -1, 100) + gap(-1, -1, 0, BOOK_STREAM) + book(DELTA, 103, 105), 0, 0),
        (book(SNAPSHOT, -1, 100) + gap(-1, -1, 0, BOOK_STREAM) + book(SNAPSHOT, -1, 110) + book(DELTA, 113, 114), 1, 0),
        (book(SNAPSHOT, -1, 100) + book(DELTA, 101, 105) + book(DELTA, 101, 105), 0, 1),
        (book(SNAPSHOT, -1, 100) + book(DELTA, 101, 105) + book(DELTA, 101, 105, REDELIVERED), 0, 0),
    ],
)
def test_books_follow(rows: bytes, holes: int, repeated: int) -> None:
    account = judged(trades(10) + rows)
    assert (account.book_holes, account.book_repeated) == (holes, repeated)
    assert bool(judge_delivery(account, Promises())) == bool(holes or repeated)
    assert bool(judge_delivery(account, Promises(same_book=True))) == bool(holes or repeated or account.book_gaps)


@pytest.mark.parametrize(
    ("between", "unannounced"),
    [
        (gap(106, 120, 0, BOOK_STREAM, engine=2), 0),
        (gap(104, 120, 0, BOOK_STREAM, engine=2), 0),  # what was in hand is not shown again
        (b"", 1),
        (gap(107, 120, 0, BOOK_STREAM, engine=2), 1),
        (gap(106, 119, 0, BOOK_STREAM, engine=2), 1),
    ],
)
def test_what_the_first_snapshot_of_an_engine_contains_is_announced(between: bytes, unannounced: int) -> None:
    before = book(SNAPSHOT, -1, 100) + book(DELTA, 101, 105)
    after = book(SNAPSHOT, -1, 120, engine=2) + book(DELTA, 121, 122, engine=2)
    account = judged(trades(10) + before + between + after)
    assert (account.book_unannounced, account.book_gaps) == (unannounced, 0)
    assert account.book_superseded == bool(between)
    assert bool(judge_delivery(account, Promises(same_book=True))) == bool(unannounced)


def test_gaps_without_bounds_are_counted_and_excuse_nothing() -> None:
    account = judged(trades(10) + gap(-1, -1) + gap(1, 2, 0, OTHER_STREAM) + trades(12))
    assert (account.gaps_without_bounds, account.lost) == (2, 1)


def test_a_symbol_that_was_never_sent_fails_the_judge_itself() -> None:
    rows = pack_row(TRADE, TRADE_STREAM, 1, "OTHER", 1, 1, 0, 0)
    assert chaos_judge.account_for(rows, LEDGER, BINANCE).lost == 1


SECOND_NS = 1_000_000_000

TIMED_LEDGER: list[dict[str, Any]] = [
    {
        "what": "sent",
        "connection": 0,
        "stream": "btcusdt@trade",
        "ids": [10, 12],
        "times_ns": [10 * SECOND_NS, 12 * SECOND_NS],
    },
    {
        "what": "unheard",
        "stream": "btcusdt@trade",
        "first_id": 13,
        "last_id": 14,
        "count": 2,
        "start_ns": 13 * SECOND_NS,
        "end_ns": 14 * SECOND_NS,
    },
    {"what": "sent", "connection": 1, "stream": "btcusdt@trade", "ids": [20], "times_ns": [20 * SECOND_NS]},
]


@pytest.mark.parametrize(
    ("start_s", "end_s", "announced", "lost"),
    [
        (12, 20, 7, 1),  # 11 was made between 10 and 12; nobody heard 13 and 14; 15 to 19 were made before 20
        (10, 20, 8, 0),
        (13, 14, 2, 6),
        (21, 22, 0, 8),
        (12.1, 20, 7, 1),  # the exchange sends a little before a worker receives
        (14, 20, 0, 8),
    ],
)
def test_a_gap_without_identifiers_announces_what_was_made_in_its_time(
    start_s: float, end_s: float, announced: int, lost: int
) -> None:
    timed = gap(int(start_s * SECOND_NS), int(end_s * SECOND_NS), TIMED)
    account = account_for(trades(10) + timed + trades(17, 20), TIMED_LEDGER, BINANCE)
    assert (account.announced, account.lost, account.gaps_without_bounds) == (announced, lost, 1)


def test_a_trade_stands_for_its_fills() -> None:
    rows = pack_row(TRADE, TRADE_STREAM, 1, "BTCUSDT", 10, 13, 5, 0) + gap(14, 15) + trades(16)
    account = judged(rows)
    assert (account.seen, account.lost, account.announced) == (5, 0, 2)
    again = judged(rows + pack_row(TRADE, TRADE_STREAM, 1, "BTCUSDT", 12, 13, 5, 0))
    assert again.duplicated == 1


def test_books_without_identifiers_are_judged_by_what_the_handler_found() -> None:
    rows = book(SNAPSHOT, -1, -1) + book(DELTA, -1, -1) + book(DELTA, -1, -1, IMPOSSIBLE)
    account = judged(trades(10) + rows)
    assert (account.book_snapshots, account.book_updates, account.book_impossible) == (1, 2, 1)
    assert judge_delivery(account, Promises()) == ["1 times a book was crossed or had a wrong checksum"]


def test_a_venue_without_numbered_books_cannot_keep_one_book() -> None:
    promises = Promises(complete=True, same_book=True)
    assert possible_promises(promises, VENUES["kraken"]) == Promises(complete=True)
    assert possible_promises(promises, BINANCE) == promises


def test_the_number_of_a_trade() -> None:
    assert trade_number("2290000000000000017") == 2_290_000_000_000_000_017
    assert trade_number("20f43950-d8dd-5b31-9112-0000000000ff") == 255


@pytest.mark.parametrize(
    ("rows", "unannounced"),
    [(gap(115, 130, 0, BOOK_STREAM, 2), 0), (gap(-1, 130, 0, BOOK_STREAM, 2), 0), (b"", 1)],
)
def test_identifiers_of_chained_books_leap(rows: bytes, unannounced: int) -> None:
    first = book(SNAPSHOT, -1, 100) + book(DELTA, 100, 110)
    account = account_for(trades(10) + first + rows + book(SNAPSHOT, -1, 130, engine=2), LEDGER, VENUES["okx"])
    assert account.book_unannounced == unannounced


def test_trades_without_an_order_may_come_in_any() -> None:
    account = judged(trades(10, 12, 11, 13))
    assert judge_delivery(account, Promises(in_order=False)) == []
    assert judge_delivery(account, Promises()) == ["1 trades came out of order"]
