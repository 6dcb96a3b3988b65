"""A worker's way to the budgets that all workers of one address share: ask, wait, go.

The supervisor keeps the accounts (`BudgetAsk`, `BudgetGrant`). One that does not answer within `ANSWER_S` must not
cost the feed: then it goes on unasked, which is counted and logged.
"""

from __future__ import annotations

import asyncio
import itertools
from urllib.parse import urlsplit

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import BudgetAsk, BudgetGrant, BudgetKind, BudgetSpent
from foxtrot_workers.adapter.limits import Budget

__all__ = [
    "ANSWER_S",
    "REFUSED_AGAIN_S",
    "TOLD_S_MIN",
    "AddressGate",
    "BudgetGate",
    "BudgetRefused",
    "address_of",
    "budget_at",
]

ANSWER_S = 1.0
"""How long the supervisor may take to answer: usually a fraction of a millisecond."""

REFUSED_AGAIN_S = 1.0
"""How long until it is asked again where too many wait already."""

TOLD_S_MIN = 1.0
"""Waits shorter than this many seconds are counted only, longer ones are logged too."""

_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class BudgetRefused(Exception):
    """It would take `retry_after_s` seconds, longer than the asker may wait."""

    def __init__(self, cause: str, retry_after_s: float) -> None:
        super().__init__(cause)
        self.cause = cause
        self.retry_after_s = retry_after_s


class BudgetGate:
    """All askings of one worker."""

    def __init__(self, context: ChildContext) -> None:
        self._context = context
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[BudgetGrant]] = {}
        self.waits_total = 0
        self.refused_total = 0
        self.unanswered_total = 0

    def granted(self, grant: BudgetGrant) -> None:
        """The supervisor has answered."""
        asked = self._asked.get(grant.request_id)
        if asked is not None and not asked.done():
            asked.set_result(grant)

    async def enter(self, kind: BudgetKind, address: str, budget: Budget, weight: int, wait_s_max: float) -> None:
        """Return when `weight` may be spent; raises `BudgetRefused` if that is more than `wait_s_max` away."""
        number = next(self._numbers)
        give_up_at = asyncio.get_running_loop().time() + wait_s_max
        waited = False
        while True:
            grant = await self._ask(number, kind, address, budget, weight)
            if grant is None or (grant.wait_s <= 0 and not grant.refused):
                return
            wait_s = max(grant.wait_s, REFUSED_AGAIN_S) if grant.refused else grant.wait_s
            if asyncio.get_running_loop().time() + wait_s > give_up_at:
                self.refused_total += 1
                raise BudgetRefused(f"the {kind} budget of {address} is spent for {wait_s:.1f} s", wait_s)
            if not waited:
                waited = True
                self.waits_total += 1
                if wait_s >= TOLD_S_MIN:
                    self._context.log.info("budget_wait", kind=kind, address=address, wait_s=f"{wait_s:.1f}")
            await asyncio.sleep(wait_s)

    def spent(self, kind: BudgetKind, address: str, retry_after_s: float) -> None:
        """The exchange wants no more for so long: tell everybody."""
        spec = self._context.spec
        self._context.send(BudgetSpent(spec.name, spec.incarnation, kind, address, retry_after_s))

    async def _ask(
        self, number: int, kind: BudgetKind, address: str, budget: Budget, weight: int
    ) -> BudgetGrant | None:
        """The answer; None if there is none."""
        spec = self._context.spec
        answer: asyncio.Future[BudgetGrant] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        ask = BudgetAsk(spec.name, spec.incarnation, number, kind, address, weight, budget.limit, budget.period_s)
        self._context.send(ask)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            self.unanswered_total += 1
            self._context.log.warning("budget_unanswered", kind=kind, address=address, waited_s=str(ANSWER_S))
            return None
        finally:
            del self._asked[number]


class AddressGate:
    """One budget of one address, as a worker uses it."""

    def __init__(self, gate: BudgetGate, kind: BudgetKind, address: str, budget: Budget, wait_s_max: float) -> None:
        self._gate = gate
        self._kind = kind
        self._address = address
        self._budget = budget
        self._wait_s_max = wait_s_max

    async def enter(self, weight: int = 1) -> None:
        """Return when `weight` may be spent; raises `BudgetRefused` if it may not in time."""
        await self._gate.enter(self._kind, self._address, self._budget, weight, self._wait_s_max)

    def spent(self, retry_after_s: float) -> None:
        """The exchange wants no more for so long."""
        self._gate.spent(self._kind, self._address, retry_after_s)


def budget_at(url: str, budget: Budget) -> Budget:
    """What is known to be allowed at `url`: on this machine an exchange is a simulated one, with rules of its own."""
    return Budget() if urlsplit(url).hostname in _LOOPBACK else budget


def address_of(url: str, proxy: str | None) -> str:
    """What an exchange counts by, as far as it can be told here: whom we ask, and through whom."""
    return _host_and_port(url) if proxy is None else f"{_host_and_port(url)} through {_host_and_port(proxy)}"


def _host_and_port(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or ''}:{parts.port or _PORTS.get(parts.scheme, 0)}"
