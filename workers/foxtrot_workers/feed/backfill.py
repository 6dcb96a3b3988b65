"""Backfills one gap of a trade stream over REST, page by page. Pure: decides what to fetch and what to commit.

The adapter knows paths and formats; this module decides which parts of an answer are trusted. A page may be unordered,
contain duplicates or trades outside the request, or be garbage. Committed trades are in order, unique and within the
gap, and a range counts as filled only if the exchange has shown all of it. The rest of the gap stays announced.

Each part is one batch of trades followed by a `Gap` with ``filled`` set, so that receivers get both or neither,
wherever this process is killed.

One gap at a time, and no retries: the supervisor repeats the request later, or gives it to another worker.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct, structs

from foxtrot_protocol.commands import Backfill, Backfilled
from foxtrot_protocol.events import EVENT_MARKET_TRADE, Gap, MarketEvent, Trade
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.notices import RestRequest

__all__ = [
    "ANSWER_S_MAX",
    "CAUSE",
    "HOLE_TRADES_MAX",
    "PAGES_MAX",
    "PAGE_BYTES_MAX",
    "PART_TRADES",
    "BackfillEffect",
    "Backfiller",
    "CommitPart",
    "Fetch",
]

HOLE_TRADES_MAX = 50_000
"""Maximum number of trades fetched for one gap, the latest ones; the gap before them stays announced."""

PAGES_MAX = 1_000
"""Maximum number of requests for one gap."""

PAGE_BYTES_MAX = 2 * 1024 * 1024
"""Maximum size of an answer. A thousand trades have about 200 KB; decoding this much takes a few milliseconds."""

PART_TRADES = 250
"""Trades committed in one batch: the live stream waits for no more than that."""

ANSWER_S_MAX = 60.0
"""Longest time in seconds from a request to its answer, including the wait for the rate limit."""

CAUSE = "fetched over REST"

_TEXT_CHARS_MAX = 64
"""Maximum length of a price, a size or an identifier."""

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")
"""Stricter than for the stream: an invalid number would be announced as another gap and fetched again."""

_TEMPORARY = frozenset({0, 408, 418, 425, 429})
"""HTTP statuses, besides 5xx, after which a later request may succeed."""


class Fetch(Struct, frozen=True):
    """Fetch this and pass the answer to `Backfiller.answered`."""

    request: RestRequest


class CommitPart(Struct, frozen=True):
    """Commit as one batch: trades in order, followed by the `Gap` that they fill."""

    events: list[MarketEvent[str]]


BackfillEffect: TypeAlias = Fetch | CommitPart | Backfilled
"""`Backfilled` answers the supervisor, after all parts before it are committed."""

_Interval: TypeAlias = tuple[int, int]


class _Page(Struct):
    """Content of one answer; `covered`: ranges of the gap that the exchange has shown completely."""

    covered: list[_Interval]
    trades: dict[int, Trade[str]]
    lowest: int | None
    """Lowest identifier in the answer, including those outside the gap; None: the answer is empty."""
    highest: int | None


class _Job:
    """The gap in progress: `first` to `last` remain to be fetched."""

    def __init__(self, command: Backfill, first: int, last: int) -> None:
        self.command = command
        self.first = first
        self.last = last
        self.pages = 0
        self.events = 0
        self.missing: list[_Interval] = []
        """Ranges that were given up: not available, or too many trades."""
        self.reason = ""
        self.held: list[tuple[_Interval, list[Trade[str]]]] = []
        """Parts that wait for earlier ones, where pages run backward."""
        self.held_trades = 0
        self.path = ""
        self.deadline = 0.0
        self.receive_ns = command.end_ns


class Backfiller:
    """Backfills for one connection; `adapter` writes requests and reads answers."""

    def __init__(self, adapter: Adapter, worker: str, incarnation: int) -> None:
        """`worker`, `incarnation`: in whose name answers are given."""
        self._adapter = adapter
        self._worker = worker
        self._incarnation = incarnation
        self._job: _Job | None = None

    def next_deadline(self) -> float | None:
        """Return when to call `tick` (monotonic seconds); None: no gap is in progress."""
        return None if self._job is None else self._job.deadline

    # ---- inputs

    def ask(self, command: Backfill, now: float) -> list[BackfillEffect]:
        """Start a backfill; it is refused while another one is in progress."""
        if self._job is not None:
            return [self.refusal(command, "another gap is being filled", retry=True)]
        try:
            first, last = int(command.first_id), int(command.last_id)
        except ValueError:
            return [self.refusal(command, "its bounds are not numbers", retry=False)]
        if not 0 <= first <= last:
            return [self.refusal(command, "its bounds are out of order", retry=False)]
        job = self._job = _Job(command, first, last)
        if not self._leaps and last - first >= HOLE_TRADES_MAX:
            job.first = last - HOLE_TRADES_MAX + 1
            self._give_up(job, first, job.first - 1, f"only the last {HOLE_TRADES_MAX} trades of a gap are fetched")
        return self._continue(job, now)

    def answered(self, path: str, status: int, body: bytes, receive_ns: int, now: float) -> list[BackfillEffect]:
        """Process the answer to a `Fetch`; `status` 0: none was received. Unexpected answers are ignored."""
        job = self._job
        if job is None or path != job.path:
            return []
        job.receive_ns = receive_ns
        if status != 200:
            reason = f"status {status}" if status else "no answer: " + body[:200].decode(errors="replace")
            return self._fail(job, reason, retry=status in _TEMPORARY or status >= 500)
        try:
            page = self._read(job, path, body, receive_ns)
        except (msgspec.MsgspecError, RecursionError, ValueError, LookupError) as error:
            return self._fail(job, f"the answer is unusable: {error}"[:300], retry=True)
        return self._take_backward(job, page, now) if self._backward else self._take_forward(job, page, now)

    def tick(self, now: float) -> list[BackfillEffect]:
        """Give up if the answer is overdue (`now`: monotonic seconds)."""
        job = self._job
        if job is None or now < job.deadline:
            return []
        return self._fail(job, f"no answer within {ANSWER_S_MAX:g} s", retry=True)

    def refusal(self, command: Backfill, reason: str, *, retry: bool) -> Backfilled:
        """Return the answer to a command of which nothing is fetched."""
        return self._answer(command, 0, reason, command.first_id, command.last_id, retry=retry)

    # ---- pages

    @property
    def _leaps(self) -> bool:
        """Whether consecutive trades may have non-consecutive identifiers."""
        return self._adapter.identities.get(EVENT_MARKET_TRADE) != "sequence"

    @property
    def _backward(self) -> bool:
        return self._adapter.backfill_order != "forward"

    @property
    def _newest_only(self) -> bool:
        """Whether the first page is all that the exchange offers."""
        return self._adapter.backfill_order == "newest"

    def _continue(self, job: _Job, now: float) -> list[BackfillEffect]:
        """Fetch the next page, or finish."""
        if job.first > job.last:
            return self._finish(job)
        if job.pages >= PAGES_MAX or job.held_trades >= HOLE_TRADES_MAX or job.events >= HOLE_TRADES_MAX:
            self._give_up(job, job.first, job.last, f"more than {HOLE_TRADES_MAX} trades or {PAGES_MAX} pages")
            return self._finish(job)
        command = job.command
        request = self._adapter.backfill_page(
            command.symbol, command.stream, job.first, job.last, command.start_ns, command.end_ns
        )
        if request is None:
            self._give_up(job, job.first, job.last, "the exchange has no request for it")
            return self._finish(job)
        job.pages += 1
        job.path = request.path
        job.deadline = now + ANSWER_S_MAX
        return [Fetch(request)]

    def _read(self, job: _Job, path: str, body: bytes, receive_ns: int) -> _Page:
        """Read and check an answer; raises as `Adapter.on_backfill`, and ValueError for an impossible content."""
        if len(body) > PAGE_BYTES_MAX:
            raise ValueError(f"{len(body)} bytes")
        inside: dict[int, Trade[str]] = {}
        lowest: int | None = None
        highest: int | None = None
        for trade in self._adapter.on_backfill(path, body, receive_ns):
            number = self._check(job, trade)
            lowest = number if lowest is None else min(lowest, number)
            highest = number if highest is None else max(highest, number)
            if job.first <= number <= job.last and inside.setdefault(number, trade) != trade:
                raise ValueError(f"two different trades {number}")
        trades = {number: inside[number] for number in sorted(inside)}
        return _Page(self._covered(job, trades, lowest, highest), trades, lowest, highest)

    def _check(self, job: _Job, trade: Trade[str]) -> int:
        """Check a trade and return its identifier; raises ValueError."""
        if trade.symbol != job.command.symbol or trade.exchange != self._adapter.exchange:
            raise ValueError(f"a trade of {trade.symbol[:_TEXT_CHARS_MAX]}")
        if not (trade.trade_id.isascii() and trade.trade_id.isdigit()) or len(trade.trade_id) > _TEXT_CHARS_MAX:
            raise ValueError("an identifier that is not a number")
        for text in (trade.price, trade.size):
            if len(text) > _TEXT_CHARS_MAX or not _NUMBER.fullmatch(text):
                raise ValueError("an invalid price or size")
        return int(trade.trade_id)

    def _covered(
        self, job: _Job, trades: dict[int, Trade[str]], lowest: int | None, highest: int | None
    ) -> list[_Interval]:
        if not self._leaps:
            return _runs(list(trades))
        if lowest is None or highest is None:
            return []
        # a page is complete between its first and its last trade
        first, last = (lowest, job.last) if self._backward else (job.first, highest)
        first, last = max(first, job.first), min(last, job.last)
        return [(first, last)] if first <= last else []

    def _take_forward(self, job: _Job, page: _Page, now: float) -> list[BackfillEffect]:
        """Process a page that starts at the start of the gap, or at the first trade after it."""
        if not page.covered:
            if page.highest is not None and page.highest > job.last:
                self._give_up(job, job.first, job.last, "the exchange has nothing there")
                return self._finish(job)
            if page.highest is not None:  # pages by time begin some way before the gap
                before = job.path
                onward = self._continue(job, now)
                if self._job is None or job.path != before:
                    return onward
            return self._fail(job, "the exchange has nothing there yet", retry=True)
        effects: list[BackfillEffect] = []
        for first, last in page.covered:
            self._give_up(job, job.first, first - 1, "the exchange has nothing there")
            effects.extend(self._parts(job, (first, last), _between(page.trades, first, last)))
            job.first = last + 1
        if page.highest is not None and page.highest > job.last:
            self._give_up(job, job.first, job.last, "the exchange has nothing there")
            job.first = job.last + 1
        return effects + self._continue(job, now)

    def _take_backward(self, job: _Job, page: _Page, now: float) -> list[BackfillEffect]:
        """Process a page that ends at the end of the gap; it is held until all earlier pages have arrived."""
        if self._newest_only and (page.highest is None or page.highest < job.last):
            return self._fail(job, "the exchange does not offer the end of the gap yet", retry=True)
        below = page.lowest is None or page.lowest < job.first
        for first, last in reversed(page.covered):
            self._give_up(job, last + 1, job.last, "the exchange has nothing there")
            trades = _between(page.trades, first, last)
            job.held.append(((first, last), trades))
            job.held_trades += len(trades)
            job.last = first - 1
        if below or self._newest_only:
            self._give_up(job, job.first, job.last, "the exchange has nothing there")
            job.last = job.first - 1
        elif not page.covered:
            return self._fail(job, "the answer does not match the request", retry=True)
        return self._continue(job, now)

    # ---- results

    def _parts(self, job: _Job, interval: _Interval, trades: Sequence[Trade[str]]) -> list[BackfillEffect]:
        """Return the parts that fill `interval` with `trades`; they are contiguous."""
        first, last = interval
        job.events += len(trades)
        parts: list[BackfillEffect] = []
        for start in range(0, max(1, len(trades)), PART_TRADES):
            some = trades[start : start + PART_TRADES]
            until = last if start + PART_TRADES >= len(trades) else int(some[-1].trade_id)
            parts.append(
                CommitPart([*(structs.replace(t, backfilled=True) for t in some), self._gap(job, first, until)])
            )
            first = until + 1
        return parts

    def _gap(self, job: _Job, first: int, last: int) -> Gap:
        command = job.command
        return Gap(
            exchange=self._adapter.exchange,
            symbol=command.symbol,
            exchange_ns=0,
            receive_ns=job.receive_ns,
            stream=command.stream,
            first_id=str(first),
            last_id=str(last),
            start_ns=command.start_ns,
            end_ns=command.end_ns,
            cause=CAUSE,
            filled=True,
        )

    def _give_up(self, job: _Job, first: int, last: int, reason: str) -> None:
        """Leave a range, which may be empty, announced."""
        if first <= last:
            job.missing.append((first, last))
            job.reason = job.reason or reason

    def _fail(self, job: _Job, reason: str, *, retry: bool) -> list[BackfillEffect]:
        """Give up the rest of the gap and finish."""
        job.reason = reason
        self._give_up(job, job.first, job.last, reason)
        return self._finish(job, retry=retry)

    def _finish(self, job: _Job, *, retry: bool = False) -> list[BackfillEffect]:
        self._job = None
        effects: list[BackfillEffect] = []
        for interval, trades in reversed(job.held):
            effects.extend(self._parts(job, interval, trades))
        if not job.missing:
            return [*effects, self._answer(job.command, job.events)]
        first, last = min(first for first, _ in job.missing), max(last for _, last in job.missing)
        return [*effects, self._answer(job.command, job.events, job.reason, str(first), str(last), retry=retry)]

    def _answer(
        self,
        command: Backfill,
        events: int,
        left: str = "",
        first_id: str = "",
        last_id: str = "",
        *,
        retry: bool = False,
    ) -> Backfilled:
        return Backfilled(self._worker, self._incarnation, command.request_id, events, left, first_id, last_id, retry)


def _runs(numbers: Sequence[int]) -> list[_Interval]:
    """Return the contiguous ranges of ascending `numbers`."""
    runs: list[_Interval] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return runs


def _between(trades: dict[int, Trade[str]], first: int, last: int) -> list[Trade[str]]:
    return [trade for number, trade in trades.items() if first <= number <= last]
