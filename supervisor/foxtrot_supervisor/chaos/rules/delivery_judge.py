"""Judge delivery: compare what handlers were given with what the simulated exchange has sent. Pure.

Handlers record a row of `ROW` for each trade, book event and gap (`harness.recorder`). The exchange keeps a ledger of
every frame it sent to each connection, and of what it made while nobody was connected. Trade identifiers of the
simulated exchange are dense: from the first one sent to the last one handled, each was either handled or is missing,
and each missing one was either announced by an `eGap.` or is lost.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

__all__ = [
    "BOOK_STREAM",
    "OTHER_STREAM",
    "ROW",
    "SYMBOL_BYTES",
    "TRADE_STREAM",
    "DeliveryAccount",
    "Promises",
    "account_for",
    "judge_delivery",
    "pack_row",
]

SYMBOL_BYTES: Final = 16

ROW: Final = struct.Struct(f"<BBBxI{SYMBOL_BYTES}sqqq")
"""Kind, flags, stream, process id of the engine, symbol, first and last identifier (-1: none), publish_ns."""

TRADE, DELTA, SNAPSHOT, GAP = 1, 2, 3, 4
REDELIVERED, BACKFILLED, FILLED = 1, 2, 4
OTHER_STREAM, TRADE_STREAM, BOOK_STREAM = 0, 1, 2

_RUNS_SHOWN = 5


def pack_row(
    kind: int, stream: int, engine: int, symbol: str, first: int, last: int, publish_ns: int, flags: int
) -> bytes:
    """One row."""
    return ROW.pack(kind, flags, stream, engine, symbol.encode()[:SYMBOL_BYTES], first, last, publish_ns)


class DeliveryAccount(Struct, kw_only=True):
    """Over all symbols; identifiers are those of trades unless it says book.

    `lost`: missing and not announced. `announced`: missing, and an eGap. names them. `announced_not_lost`: named by an
    eGap., and yet handled as if nothing had been. `torn`: sent to a connection and missing, though it brought later
    ones. `duplicated`: handled a second time without a mark.
    """

    sent: int = 0
    unheard: int = 0
    """Made while nobody was connected, within what is judged."""
    seen: int = 0
    lost: int = 0
    announced: int = 0
    announced_not_lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    torn: int = 0
    redelivered: int = 0
    redelivered_batches: int = 0
    backfilled: int = 0
    gaps: int = 0
    gaps_without_bounds: int = 0
    book_updates: int = 0
    book_snapshots: int = 0
    book_holes: int = 0
    """Deltas that do not follow what was known, without an eGap. before. Each engine begins with a snapshot."""
    book_gaps: int = 0
    book_superseded: int = 0
    """Gaps that name updates between the last one of an engine and the first snapshot of its successor."""
    book_unannounced: int = 0
    """First snapshots of an engine that contain more than was handed over or announced."""
    book_repeated: int = 0
    lost_runs: list[str] = []
    """The first few stretches that were lost, for the analysis of a failure."""


class Promises(Struct, frozen=True, kw_only=True):
    """What is promised of a run. `complete`: no trade may be missing, announced or not. `same_book`: no book has to be
    taken up again. `whole`: no connection is torn. `engines_killed`: each may have had one batch in hand.
    """

    complete: bool = False
    same_book: bool = False
    whole: bool = False
    engines_killed: int = 0


def judge_delivery(account: DeliveryAccount, promises: Promises) -> list[str]:
    """The promises that were broken, as text for people."""
    broken = []
    if not account.seen:
        broken.append("handlers were given nothing")
    if account.lost:
        broken.append(f"{account.lost} trades are lost without a word: {', '.join(account.lost_runs)}")
    if account.announced_not_lost:
        broken.append(f"{account.announced_not_lost} trades were announced as lost, and were not")
    if account.duplicated:
        broken.append(f"{account.duplicated} trades came twice, unmarked")
    if account.out_of_order:
        broken.append(f"{account.out_of_order} trades came out of order")
    if account.book_holes:
        broken.append(f"{account.book_holes} book updates do not follow the one before")
    if account.book_unannounced:
        broken.append(f"{account.book_unannounced} times no gap names what a new engine's snapshot contains")
    if account.book_repeated:
        broken.append(f"{account.book_repeated} book updates came twice, unmarked")
    if promises.same_book and account.book_gaps:
        broken.append(f"{account.book_gaps} times a book had to be taken up again")
    if promises.complete and account.announced:
        broken.append(f"{account.announced} trades are missing, though announced")
    if promises.whole and account.torn:
        broken.append(f"{account.torn} trades are missing of what a connection has brought")
    if account.redelivered_batches > promises.engines_killed:
        broken.append(
            f"{account.redelivered_batches} batches came again after {promises.engines_killed} deaths of engines"
        )
    return broken


def account_for(rows: bytes, ledger: Iterable[Mapping[str, Any]], *, twins: bool = False) -> DeliveryAccount:
    """The account of one run: what its handlers wrote down, and the rows of the ledger's file.

    With `twins` it begins with the first that was handled, which the quicker one of two has brought; else with the
    first that was sent.
    """
    account = DeliveryAccount()
    symbols: dict[bytes, _Handled] = {}
    whole = rows[: len(rows) - len(rows) % ROW.size]  # the last one may be cut off
    for kind, flags, stream, engine, symbol, first, last, publish_ns in ROW.iter_unpack(whole):
        handled = symbols.get(symbol)
        if handled is None:
            handled = symbols[symbol] = _Handled(account)
        if kind == TRADE:
            handled.trade(last, flags, engine, publish_ns)
        elif kind == GAP:
            handled.gap(stream, first, last, flags, engine)
        else:
            handled.book(kind, first, last, flags, engine)
    sent, unheard = _read_ledger(ledger)
    for symbol, handled in symbols.items():
        name = symbol.rstrip(b"\0").decode(errors="replace").upper()
        handled.settle(name, sent.get(name, {}), unheard.get(name, []), twins=twins)
    return account


def _read_ledger(
    ledger: Iterable[Mapping[str, Any]],
) -> tuple[dict[str, dict[int, list[int]]], dict[str, list[tuple[int, int]]]]:
    """Trades sent, by symbol and connection; stretches that nobody heard, by symbol."""
    sent: dict[str, dict[int, list[int]]] = {}
    unheard: dict[str, list[tuple[int, int]]] = {}
    for row in ledger:
        symbol, _, channel = str(row.get("stream", "")).upper().partition("@")
        if channel != "TRADE":
            continue
        if row["what"] == "sent":
            sent.setdefault(symbol, {}).setdefault(row["connection"], []).extend(row["ids"])
        elif row["what"] == "unheard":
            unheard.setdefault(symbol, []).append((row["first_id"], row["last_id"]))
    return sent, unheard


class _Handled:
    """What was handled of one symbol."""

    def __init__(self, account: DeliveryAccount) -> None:
        self._account = account
        self._seen: set[int] = set()
        self._healed: set[int] = set()
        self._last = -1
        self._announced: list[tuple[int, int]] = []
        self._batches: set[tuple[int, int]] = set()
        self._book: int | None = None
        self._book_announced = False
        self._book_engine: int | None = None
        self._book_known: int | None = None
        """Last identifier that any engine has handed over."""
        self._superseded: tuple[int, int] | None = None

    def trade(self, trade_id: int, flags: int, engine: int, publish_ns: int) -> None:
        account = self._account
        if flags & REDELIVERED:
            account.redelivered += 1
            self._batches.add((engine, publish_ns))
            if trade_id in self._seen:
                return
        if trade_id in self._seen:
            account.duplicated += 1
            return
        self._seen.add(trade_id)
        if flags & BACKFILLED:
            account.backfilled += 1
            self._healed.add(trade_id)
            return
        if trade_id < self._last:
            account.out_of_order += 1
        else:
            self._last = trade_id

    def gap(self, stream: int, first: int, last: int, flags: int, engine: int) -> None:
        account = self._account
        account.gaps += not flags & FILLED
        if flags & FILLED:
            return
        if stream == BOOK_STREAM and engine != self._book_engine and min(first, last) >= 0:
            account.book_superseded += 1
            self._superseded = (first, last)
        elif stream == BOOK_STREAM:
            account.book_gaps += 1
            self._book_announced = True
        elif stream == TRADE_STREAM and min(first, last) >= 0:
            self._announced.append((first, last))
        else:
            account.gaps_without_bounds += 1

    def book(self, kind: int, first: int, last: int, flags: int, engine: int) -> None:
        account = self._account
        if engine != self._book_engine:
            self._book, self._book_engine = None, engine  # what the engine before knew is gone with it
            if kind == SNAPSHOT and self._book_known is not None and last > self._book_known:
                first_named, last_named = self._superseded or (last + 1, last)
                account.book_unannounced += first_named > self._book_known + 1 or last_named != last
            self._superseded = None
        self._book_known = last
        if kind == SNAPSHOT:
            account.book_snapshots += 1
            self._book, self._book_announced = last, False
            return
        account.book_updates += 1
        if self._book is not None and last <= self._book:
            account.book_repeated += not flags & REDELIVERED
            return
        if (self._book is None or first > self._book + 1) and not self._book_announced:
            account.book_holes += 1
        self._book = last

    def settle(
        self, symbol: str, sent: Mapping[int, list[int]], unheard: Iterable[tuple[int, int]], *, twins: bool
    ) -> None:
        account, seen = self._account, self._seen
        account.seen += len(seen)
        account.redelivered_batches += len(self._batches)
        if not seen or not sent:
            account.lost += len(seen)  # of a market that never was: the judge itself is broken
            return
        heard = set().union(*sent.values())
        first, last = min(seen) if twins else min(heard), max(seen)
        account.sent += len({each for each in heard if first <= each <= last})
        account.unheard += sum(max(0, min(end, last) - max(start, first) + 1) for start, end in unheard)
        announced = {each for start, end in self._announced for each in range(start, min(end, last) + 1)}
        missing = set(range(first, last + 1)) - seen
        lost = missing - announced
        account.announced += len(missing & announced)
        account.announced_not_lost += len((announced & seen) - self._healed)
        account.lost += len(lost)
        account.lost_runs += [f"{symbol} {run}" for run in _runs(sorted(lost))][:_RUNS_SHOWN]
        for ids in sent.values():
            brought = [place for place, each in enumerate(ids) if each in seen and each not in self._healed]
            if brought:
                whole = [each for each in ids[: brought[-1]] if each >= first]
                account.torn += sum(each not in seen or each in self._healed for each in whole)


def _runs(ids: list[int]) -> Iterator[str]:
    """Stretches of consecutive numbers."""
    start = 0
    for place, each in enumerate(ids, 1):
        if place == len(ids) or ids[place] != each + 1:
            yield f"{ids[start]}" if start == place - 1 else f"{ids[start]} to {each}"
            start = place
