"""Judge delivery: compare what handlers were given with what the simulated exchange has sent. Pure.

Handlers record a row of `ROW` for each trade, book event and gap (`harness.recorder`). The exchange keeps a ledger of
every frame it sent to each connection, and of what it made while nobody was connected. Trade identifiers of the
simulated exchange are dense: from the first one sent to the last one handled, each was either handled or is missing,
and each missing one was either announced by an `eGap.`, with its identifier or with its time, or is lost.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, structs

from foxtrot_supervisor.chaos.rules.venues import Venue

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
    "possible_promises",
    "trade_number",
]

SYMBOL_BYTES: Final = 16

ROW: Final = struct.Struct(f"<BBBxI{SYMBOL_BYTES}sqqq")
"""Kind, flags, stream, process id of the engine, symbol, first and last identifier (-1: none), publish_ns.

Of a trade, the identifiers of the first and last fill that it stands for. Of a gap with the flag `TIMED`, the times of
its start and end in ns in place of identifiers.
"""

TRADE, DELTA, SNAPSHOT, GAP = 1, 2, 3, 4
REDELIVERED, BACKFILLED, FILLED, TIMED, IMPOSSIBLE = 1, 2, 4, 8, 16
"""`IMPOSSIBLE`: the book is crossed, or its checksum is wrong."""
OTHER_STREAM, TRADE_STREAM, BOOK_STREAM = 0, 1, 2

_RUNS_SHOWN = 5

SLACK_NS: Final = 250_000_000
"""The exchange sends a little before a worker receives: by so much a gap may begin late."""


def pack_row(
    kind: int, stream: int, engine: int, symbol: str, first: int, last: int, publish_ns: int, flags: int
) -> bytes:
    """One row."""
    return ROW.pack(kind, flags, stream, engine, symbol.encode()[:SYMBOL_BYTES], first, last, publish_ns)


def trade_number(trade_id: str) -> int:
    """Return the number of a trade of the simulated exchange: its identifier, or the last part of a UUID."""
    number = trade_id.rpartition("-")[2]
    return int(number, 16) if number != trade_id else int(trade_id)


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
    marked_by_engine: dict[int, int] = {}
    """Trades marked `redelivered`, by the process that was given them."""
    repeated_by_engine: dict[int, int] = {}
    """Those of them that had been handled before."""
    backfilled: int = 0
    gaps: int = 0
    gaps_without_bounds: int = 0
    book_updates: int = 0
    book_snapshots: int = 0
    book_holes: int = 0
    """Deltas that do not follow what was known, without an eGap. before. Each engine begins with a snapshot."""
    book_impossible: int = 0
    """Of books whose updates have no identifiers: crossed ones, and those with a wrong checksum."""
    book_gaps: int = 0
    book_superseded: int = 0
    """Gaps that name updates between the last one of an engine and the first snapshot of its successor."""
    book_unannounced: int = 0
    """First snapshots of an engine that contain more than was handed over or announced."""
    book_repeated: int = 0
    lost_runs: list[str] = []
    """The first few stretches that were lost, for the analysis of a failure."""


class Promises(Struct, frozen=True, kw_only=True):
    """What is promised of a run. `complete`: no trade may be missing, announced or not. `in_order`: trades come in
    the order of their identifiers, except what was fetched. `same_book`: no book has to be
    taken up again. `whole`: no connection is torn. `engines_killed`: each may have had one batch in hand.
    `handed_over`: each engine may mark so many trades, which an earlier one on another host may have had; 0: it is on
    one host.
    """

    complete: bool = False
    in_order: bool = True
    same_book: bool = False
    whole: bool = False
    engines_killed: int = 0
    handed_over: int = 0


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
    if promises.in_order and account.out_of_order:
        broken.append(f"{account.out_of_order} trades came out of order")
    if account.book_holes:
        broken.append(f"{account.book_holes} book updates do not follow the one before")
    if account.book_impossible:
        broken.append(f"{account.book_impossible} times a book was crossed or had a wrong checksum")
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
    if promises.handed_over:
        most = max(account.marked_by_engine.values(), default=0)
        if most > promises.handed_over:
            broken.append(f"{most} trades were marked after one death, more than {promises.handed_over}")
    elif account.redelivered_batches > promises.engines_killed:
        broken.append(
            f"{account.redelivered_batches} batches came again after {promises.engines_killed} deaths of engines"
        )
    return broken


def possible_promises(promises: Promises, venue: Venue) -> Promises:
    """Return `promises` without what `venue` makes impossible."""
    return structs.replace(promises, same_book=promises.same_book and venue.numbered_books)


def account_for(
    rows: bytes, ledger: Iterable[Mapping[str, Any]], venue: Venue, *, twins: bool = False
) -> DeliveryAccount:
    """The account of one run: what its handlers wrote down, and the rows of the ledger's file of `venue`.

    With `twins` it begins with the first that was handled, which the quicker one of two has brought; else with the
    first that was sent.
    """
    account = DeliveryAccount()
    symbols: dict[bytes, _Handled] = {}
    whole = rows[: len(rows) - len(rows) % ROW.size]  # the last one may be cut off
    for kind, flags, stream, engine, symbol, first, last, publish_ns in ROW.iter_unpack(whole):
        handled = symbols.get(symbol)
        if handled is None:
            handled = symbols[symbol] = _Handled(account, venue)
        if kind == TRADE:
            handled.trade(first, last, flags, engine, publish_ns)
        elif kind == GAP:
            handled.gap(stream, first, last, flags, engine)
        else:
            handled.book(kind, first, last, flags, engine)
    made = _read_ledger(ledger, venue)
    for symbol, handled in symbols.items():
        name = symbol.rstrip(b"\0").decode(errors="replace").upper()
        handled.settle(name, made.get(name, _Made()), twins=twins)
    return account


class _Made:
    """What the exchange made of one symbol."""

    def __init__(self) -> None:
        self.sent: dict[int, list[int]] = {}
        """By connection."""
        self.sent_ns: dict[int, int] = {}
        """When each was sent first."""
        self.unheard: list[tuple[int, int, int, int]] = []
        """Stretches that nobody heard: first and last identifier, start and end in ns."""

    def times_of(self, trade_ids: Iterable[int]) -> Iterator[tuple[int, int, int]]:
        """Yield each of `trade_ids` with the interval, in ns, within which it was made.

        The ledger has the last trade of each message that was sent; what is made for a connection that is just gone
        is not in it. So a trade was made between those that were sent before and after it.
        """
        sent = sorted(self.sent_ns)
        for trade_id in trade_ids:
            for first, last, start_ns, end_ns in self.unheard:
                if first <= trade_id <= last:
                    yield trade_id, start_ns, end_ns
                    break
            else:
                place = bisect_left(sent, trade_id)
                after = self.sent_ns[sent[place]] if place < len(sent) else 0
                exact = place < len(sent) and sent[place] == trade_id
                before = self.sent_ns[sent[place - 1]] if place and not exact else after
                yield trade_id, before, after


def _read_ledger(ledger: Iterable[Mapping[str, Any]], venue: Venue) -> dict[str, _Made]:
    """Return what was made, by symbol."""
    found: dict[str, _Made] = {}
    for row in ledger:
        symbol = venue.traded_symbol(str(row.get("stream", "")))
        if symbol is None:
            continue
        made = found.setdefault(symbol, _Made())
        if row["what"] == "sent":
            made.sent.setdefault(row["connection"], []).extend(row["ids"])
            for trade_id, at_ns in zip(row["ids"], row["times_ns"], strict=True):
                made.sent_ns.setdefault(trade_id, at_ns)
        elif row["what"] == "unheard":
            made.unheard.append((row["first_id"], row["last_id"], row["start_ns"], row["end_ns"]))
    return found


class _Handled:
    """What was handled of one symbol."""

    def __init__(self, account: DeliveryAccount, venue: Venue) -> None:
        self._account = account
        self._dense_books = venue.dense_books
        self._seen: set[int] = set()
        self._healed: set[int] = set()
        self._last = -1
        self._announced: list[tuple[int, int]] = []
        self._timed: list[tuple[int, int]] = []
        """Start and end, in ns, of gaps without identifiers."""
        self._batches: set[tuple[int, int]] = set()
        self._book: int | None = None
        self._book_announced = False
        self._book_engine: int | None = None
        self._book_known: int | None = None
        """Last identifier that any engine has handed over."""
        self._superseded: tuple[int, int] | None = None

    def trade(self, first: int, last: int, flags: int, engine: int, publish_ns: int) -> None:
        account = self._account
        fills = range(first, last + 1)
        known = any(fill in self._seen for fill in fills)
        if flags & REDELIVERED:
            account.redelivered += 1
            account.marked_by_engine[engine] = account.marked_by_engine.get(engine, 0) + 1
            self._batches.add((engine, publish_ns))
            if known:
                account.repeated_by_engine[engine] = account.repeated_by_engine.get(engine, 0) + 1
                return
        if known:
            account.duplicated += 1
            return
        self._seen.update(fills)
        if flags & BACKFILLED:
            account.backfilled += 1
            self._healed.update(fills)
            return
        if last < self._last:
            account.out_of_order += 1
        else:
            self._last = last

    def gap(self, stream: int, first: int, last: int, flags: int, engine: int) -> None:
        account = self._account
        account.gaps += not flags & FILLED
        if flags & FILLED:
            return
        # where identifiers leap, the first that is missing may be unknown
        is_bounded = last >= 0 and (first >= 0 or not self._dense_books) and not flags & TIMED
        if stream == BOOK_STREAM and engine != self._book_engine and is_bounded:
            account.book_superseded += 1
            self._superseded = (first, last)
        elif stream == BOOK_STREAM:
            account.book_gaps += 1
            self._book_announced = True
        elif stream == TRADE_STREAM and flags & TIMED:
            account.gaps_without_bounds += 1
            self._timed.append((first, last))
        elif stream == TRADE_STREAM and min(first, last) >= 0:
            self._announced.append((first, last))
        else:
            account.gaps_without_bounds += 1

    def book(self, kind: int, first: int, last: int, flags: int, engine: int) -> None:
        account = self._account
        if last < 0:
            account.book_snapshots += kind == SNAPSHOT
            account.book_updates += kind == DELTA
            account.book_impossible += bool(flags & IMPOSSIBLE)
            return
        if engine != self._book_engine:
            self._book, self._book_engine = None, engine  # what the engine before knew is gone with it
            if kind == SNAPSHOT and self._book_known is not None and last > self._book_known:
                first_named, last_named = self._superseded or (last + 1, 0)
                leaps = self._dense_books and first_named > self._book_known + 1
                account.book_unannounced += leaps or last_named != last
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

    def settle(self, symbol: str, made: _Made, *, twins: bool) -> None:
        account, seen, sent = self._account, self._seen, made.sent
        account.seen += len(seen)
        account.redelivered_batches += len(self._batches)
        if not seen or not sent:
            account.lost += len(seen)  # of a market that never was: the judge itself is broken
            return
        heard = set().union(*sent.values())
        first, last = min(seen) if twins else min(heard), max(seen)
        account.sent += len({each for each in heard if first <= each <= last})
        account.unheard += sum(max(0, min(end, last) - max(start, first) + 1) for start, end, _, _ in made.unheard)
        announced = {each for start, end in self._announced for each in range(start, min(end, last) + 1)}
        missing = set(range(first, last + 1)) - seen
        times = made.times_of(missing - announced)
        announced |= {each for each, start_ns, end_ns in times if self._is_timed(start_ns, end_ns)}
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

    def _is_timed(self, start_ns: int, end_ns: int) -> bool:
        """Return whether a gap without identifiers contains this time."""
        return any(start - SLACK_NS <= start_ns and end_ns <= end + SLACK_NS for start, end in self._timed)


def _runs(ids: list[int]) -> Iterator[str]:
    """Stretches of consecutive numbers."""
    start = 0
    for place, each in enumerate(ids, 1):
        if place == len(ids) or ids[place] != each + 1:
            yield f"{ids[start]}" if start == place - 1 else f"{ids[start]} to {each}"
            start = place
