"""Rate limits of exchanges, shared by all workers of one network address; grants and remembers, sends nothing.

An exchange counts by address: so many handshakes in five minutes, so much REST weight a minute. One account for each
kind and address holds what was spent within the last period, which requests wait, and until when the exchange has
closed the account to everybody (429, 418 with Retry-After). In any window of one period no more than the limit is
granted; requests are served in the order of their arrival.

A request that has to wait gets the delay after which it must be repeated; its place is kept until `GRACE_S` later. So
nothing has to be sent at a later time, and a Retry-After that arrives meanwhile reaches every waiting request.

Every number here comes from a worker: values that make no sense are clamped, and are never an error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from foxtrot_protocol.commands import BudgetAsk, BudgetKind

__all__ = [
    "ACCOUNTS_MAX",
    "ADDRESS_CHARS_MAX",
    "CLOSED_S_MAX",
    "GRACE_S",
    "PERIOD_SLACK",
    "PERIOD_S_MAX",
    "SLOTS",
    "WAITING_MAX",
    "WAIT_S_MIN",
    "Grant",
    "RateLimits",
]

ACCOUNTS_MAX: Final = 1000
"""Accounts kept; beyond it the least recently used one is evicted, and counted."""

ADDRESS_CHARS_MAX: Final = 300

WAITING_MAX: Final = 1000
"""Requests that may wait at one account; a further one is refused."""

GRACE_S: Final = 2.0
"""Seconds after its wait for which the place of a request is kept."""

CLOSED_S_MAX: Final = 3 * 24 * 3600.0
"""Seconds: the longest ban that an exchange is known to give."""

PERIOD_S_MAX: Final = 24 * 3600.0

PERIOD_SLACK: Final = 1.05
"""Factor on periods: what is granted evenly here may arrive closer together at the exchange."""

SLOTS: Final = 50
"""Parts of a period: what was spent within one part is kept as one entry with the latest time. Bounded, and never too
generous."""

WAIT_S_MIN: Final = 0.001
"""Seconds: the shortest wait that is answered, since each repeated request costs a turn of the loop."""


class Grant(Struct, frozen=True):
    """Answer to a request: spend now if `wait_s` is 0, else repeat the request after `wait_s` seconds.

    `refused`: too many requests wait, and no place is kept.
    """

    wait_s: float
    refused: bool = False


class _Place(Struct):
    """A request that waits."""

    weight: int
    kept_until: float


class _Spending(Struct):
    """Weight spent within one part of a period."""

    first_at: float
    last_at: float
    weight: int


_Asker = tuple[str, int, int]
"""Worker, incarnation, request."""


class _Account:
    """One kind of limit at one address."""

    __slots__ = (
        "closed_until",
        "closings_total",
        "granted_total",
        "limit",
        "period_s",
        "refused_total",
        "spendings",
        "waiting",
        "waits_total",
    )

    def __init__(self) -> None:
        self.limit = 0
        self.period_s = 0.0
        self.spendings: deque[_Spending] = deque()
        self.waiting: dict[_Asker, _Place] = {}
        self.closed_until = 0.0
        self.granted_total = 0
        self.waits_total = 0
        self.refused_total = 0
        self.closings_total = 0

    def adopt(self, limit: int, period_s: float) -> None:
        """Take over the limit that the exchange has announced last; one that makes no sense means no limit."""
        sensible = limit > 0 and 0.0 < period_s <= PERIOD_S_MAX
        self.limit = limit if sensible else 0
        self.period_s = period_s * PERIOD_SLACK if sensible else 0.0

    def acquire(self, asker: _Asker, weight: int, now: float) -> Grant:
        self._expire_places(now)
        known = self.waiting.get(asker)
        weight = max(1, min(weight, self.limit) if self.limit else weight)
        due = self._due(asker, weight, now)
        if due <= now:
            self.waiting.pop(asker, None)
            self._spend(weight, now)
            self.granted_total += 1
            return Grant(0.0)
        if known is None and len(self.waiting) >= WAITING_MAX:
            self.refused_total += 1
            return Grant(due - now, refused=True)
        if known is None:
            self.waits_total += 1
        self.waiting[asker] = _Place(weight, due + GRACE_S)  # a repeated request keeps its place in the order
        return Grant(max(WAIT_S_MIN, due - now))

    def _expire_places(self, now: float) -> None:
        for asker in [asker for asker, place in self.waiting.items() if now > place.kept_until]:
            del self.waiting[asker]

    def _due(self, asker: _Asker, weight: int, now: float) -> float:
        """Return when this request may be granted, if all before it are granted as early as possible."""
        at = max(now, self.closed_until)
        if not self.limit:
            return at
        ahead: deque[tuple[float, int]] = deque((each.last_at, each.weight) for each in self.spendings)
        used = sum(each for _, each in ahead)
        for wanted in (*self._weights_before(asker), weight):
            while ahead and (ahead[0][0] + self.period_s <= at or used + wanted > self.limit):
                spent_at, spent = ahead.popleft()
                at = max(at, spent_at + self.period_s)
                used -= spent
            ahead.append((at, wanted))
            used += wanted
        return at

    def _weights_before(self, asker: _Asker) -> Iterator[int]:
        for other, place in self.waiting.items():
            if other == asker:
                return
            yield place.weight

    def _spend(self, weight: int, now: float) -> None:
        if not self.limit:
            self.spendings.clear()
            return
        while self.spendings and self.spendings[0].last_at + self.period_s <= now:
            self.spendings.popleft()
        latest = self.spendings[-1] if self.spendings else None
        if latest is not None and now - latest.first_at < self.period_s / SLOTS:
            latest.last_at = now
            latest.weight += weight
        else:
            self.spendings.append(_Spending(now, now, weight))

    def used(self, now: float) -> int:
        """Return the weight spent within the period that ends now."""
        return sum(each.weight for each in self.spendings if each.last_at + self.period_s > now)

    def close(self, for_s: float, now: float) -> None:
        self.closings_total += 1
        self.closed_until = max(self.closed_until, now + min(max(0.0, for_s), CLOSED_S_MAX))


class RateLimits:
    """All accounts. Times are seconds on the monotonic clock."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[BudgetKind, str], _Account] = {}
        self.forgotten_total = 0
        """Accounts that were evicted; what they had counted is lost."""

    def acquire(self, ask: BudgetAsk, now: float) -> Grant:
        """Grant the request, or say when to repeat it; `now` never decreases."""
        account = self._account(ask.kind, ask.address)
        account.adopt(ask.limit, ask.period_s)
        return account.acquire((ask.worker, ask.incarnation, ask.request_id), ask.weight, now)

    def close(self, kind: BudgetKind, address: str, for_s: float, now: float) -> None:
        """Close an account to everybody for `for_s` seconds; never shortens an earlier, longer closing."""
        self._account(kind, address).close(for_s, now)

    def forget(self, worker: str, incarnation: int) -> None:
        """Drop the waiting requests of an incarnation that has died."""
        for account in self._accounts.values():
            for asker in [asker for asker in account.waiting if asker[:2] == (worker, incarnation)]:
                del account.waiting[asker]

    def as_list(self, now: float) -> list[dict[str, Any]]:
        """Return every account for `status`, the most recently used one last."""
        return [
            {
                "kind": kind,
                "address": address,
                "limit": account.limit,
                "period_s": round(account.period_s / PERIOD_SLACK, 3),
                "used": account.used(now),
                "waiting": len(account.waiting),
                "closed_s": round(max(0.0, account.closed_until - now), 3),
                "granted_total": account.granted_total,
                "waits_total": account.waits_total,
                "refused_total": account.refused_total,
                "closings_total": account.closings_total,
            }
            for (kind, address), account in self._accounts.items()
        ]

    def _account(self, kind: BudgetKind, address: str) -> _Account:
        key = (kind, address[:ADDRESS_CHARS_MAX])
        account = self._accounts.pop(key, None)
        if account is None:
            account = _Account()
            if len(self._accounts) >= ACCOUNTS_MAX:
                del self._accounts[next(iter(self._accounts))]
                self.forgotten_total += 1
        self._accounts[key] = account
        return account
