"""What may be asked of an exchange, shared by all workers of one address; grants and remembers, sends nothing.

An exchange counts by address: so many handshakes in five minutes, so much REST weight a minute. One account for each
kind and address holds what was spent within the last period, who waits, and until when the exchange wants no more of
anybody (429, 418 with Retry-After). In any window of a period no more is granted than the limit; who comes first is
served first.

Who is told to wait asks again when that time is over; its place is kept until then and `GRACE_S` longer. So nothing
has to be sent at a later time, and a Retry-After that came meanwhile reaches everybody who waits.

Every number here comes from a worker: what makes no sense is brought into bounds, never an error.
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
    "Budgets",
    "Grant",
]

ACCOUNTS_MAX: Final = 1000
"""Kinds and addresses remembered; beyond it the one that was used longest ago is forgotten, and counted."""

ADDRESS_CHARS_MAX: Final = 300

WAITING_MAX: Final = 1000
"""Who may wait at one account; the next one is refused."""

GRACE_S: Final = 2.0
"""How much later than it was told somebody may ask again until its place is lost."""

CLOSED_S_MAX: Final = 3 * 24 * 3600.0
"""The longest ban an exchange is known to give."""

PERIOD_S_MAX: Final = 24 * 3600.0

PERIOD_SLACK: Final = 1.05
"""Periods are taken so much longer: what is granted evenly here may arrive closer together there."""

SLOTS: Final = 50
"""Spendings of one such part of a period are remembered as one, of the latest of them: bounded, never too generous."""

WAIT_S_MIN: Final = 0.001
"""No shorter wait is told: asking again costs a turn of the loop."""


class Grant(Struct, frozen=True):
    """Go if `wait_s` is 0; else ask again then, or, if `refused`, whenever it suits you."""

    wait_s: float
    refused: bool = False


class _Place(Struct):
    """Somebody who waits."""

    weight: int
    kept_until: float


class _Spending(Struct):
    """What was spent within one slot."""

    first_at: float
    last_at: float
    weight: int


_Asker = tuple[str, int, int]
"""Worker, incarnation, request."""


class _Account:
    """One kind of budget at one address."""

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
        """The newest word of what the exchange allows."""
        sensible = limit > 0 and 0.0 < period_s <= PERIOD_S_MAX
        self.limit = limit if sensible else 0
        self.period_s = period_s * PERIOD_SLACK if sensible else 0.0

    def ask(self, asker: _Asker, weight: int, now: float) -> Grant:
        self._let_go_of_the_late(now)
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
        self.waiting[asker] = _Place(weight, due + GRACE_S)  # an asker that is known keeps its place in the order
        return Grant(max(WAIT_S_MIN, due - now))

    def _let_go_of_the_late(self, now: float) -> None:
        for asker in [asker for asker, place in self.waiting.items() if now > place.kept_until]:
            del self.waiting[asker]

    def _due(self, asker: _Asker, weight: int, now: float) -> float:
        """When its turn comes, if all before it take theirs as soon as they can."""
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
        """What was spent within the period that ends now."""
        return sum(each.weight for each in self.spendings if each.last_at + self.period_s > now)

    def close(self, for_s: float, now: float) -> None:
        self.closings_total += 1
        self.closed_until = max(self.closed_until, now + min(max(0.0, for_s), CLOSED_S_MAX))


class Budgets:
    """All accounts. Times are seconds on the monotonic clock."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[BudgetKind, str], _Account] = {}
        self.forgotten_total = 0
        """Accounts that had to make room: what they had counted is lost."""

    def ask(self, ask: BudgetAsk, now: float) -> Grant:
        """Whether it may be spent now; `now` never decreases."""
        account = self._account(ask.kind, ask.address)
        account.adopt(ask.limit, ask.period_s)
        return account.ask((ask.worker, ask.incarnation, ask.request_id), ask.weight, now)

    def close(self, kind: BudgetKind, address: str, for_s: float, now: float) -> None:
        """The exchange wants no more from anybody for so long; a shorter time never opens what is closed longer."""
        self._account(kind, address).close(for_s, now)

    def forget(self, worker: str, incarnation: int) -> None:
        """It is dead: nobody waits behind it."""
        for account in self._accounts.values():
            for asker in [asker for asker in account.waiting if asker[:2] == (worker, incarnation)]:
                del account.waiting[asker]

    def as_list(self, now: float) -> list[dict[str, Any]]:
        """For `status`: what stands on each account, the latest used last."""
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
