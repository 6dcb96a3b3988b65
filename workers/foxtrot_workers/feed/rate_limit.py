"""Client of the rate limits that all workers of one address share.

The supervisor keeps the accounts (`BudgetAsk`, `BudgetGrant`). If it does not answer within `ANSWER_S`, the worker
proceeds without a grant, which is counted and logged: the feed must not depend on it.
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
    "LOGGED_S_MIN",
    "RETRY_REFUSED_S",
    "AddressLimit",
    "RateLimitClient",
    "RateLimitExhausted",
    "address_of",
    "budget_at",
]

ANSWER_S = 1.0
"""Seconds to wait for the supervisor, which usually answers in a fraction of a millisecond."""

RETRY_REFUSED_S = 1.0
"""Seconds until the next request where too many are waiting already."""

LOGGED_S_MIN = 1.0
"""Minimum seconds of a wait that is logged; shorter ones are only counted."""

_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class RateLimitExhausted(Exception):
    """The rate limit is exhausted for `retry_after_s` seconds, longer than the caller may wait."""

    def __init__(self, cause: str, retry_after_s: float) -> None:
        super().__init__(cause)
        self.cause = cause
        self.retry_after_s = retry_after_s


class RateLimitClient:
    """This worker's client of the shared rate limits."""

    def __init__(self, context: ChildContext) -> None:
        self._context = context
        self._numbers = itertools.count(1)
        self._pending: dict[int, asyncio.Future[BudgetGrant]] = {}
        self.waits_total = 0
        self.refused_total = 0
        self.unanswered_total = 0

    def granted(self, grant: BudgetGrant) -> None:
        """Process the supervisor's answer."""
        asked = self._pending.get(grant.request_id)
        if asked is not None and not asked.done():
            asked.set_result(grant)

    async def acquire(self, kind: BudgetKind, address: str, budget: Budget, weight: int, wait_s_max: float) -> None:
        """Wait until `weight` may be spent; raises `RateLimitExhausted` if that takes longer than `wait_s_max`.

        Args:
            kind: of the limit.
            address: at which the exchange counts.
            budget: the limit.
            weight: to spend.
            wait_s_max: longest wait in seconds.
        """
        number = next(self._numbers)
        give_up_at = asyncio.get_running_loop().time() + wait_s_max
        waited = False
        while True:
            grant = await self._request(number, kind, address, budget, weight)
            if grant is None or (grant.wait_s <= 0 and not grant.refused):
                return
            wait_s = max(grant.wait_s, RETRY_REFUSED_S) if grant.refused else grant.wait_s
            if asyncio.get_running_loop().time() + wait_s > give_up_at:
                self.refused_total += 1
                raise RateLimitExhausted(f"the {kind} budget of {address} is spent for {wait_s:.1f} s", wait_s)
            if not waited:
                waited = True
                self.waits_total += 1
                if wait_s >= LOGGED_S_MIN:
                    self._context.log.info("budget_wait", kind=kind, address=address, wait_s=round(wait_s, 1))
            await asyncio.sleep(wait_s)

    def spent(self, kind: BudgetKind, address: str, retry_after_s: float) -> None:
        """Report to all workers that the exchange accepts nothing more for `retry_after_s` seconds."""
        spec = self._context.spec
        self._context.send(BudgetSpent(spec.name, spec.incarnation, kind, address, retry_after_s))

    async def _request(
        self, number: int, kind: BudgetKind, address: str, budget: Budget, weight: int
    ) -> BudgetGrant | None:
        """Return the supervisor's answer; None if it does not answer in time."""
        spec = self._context.spec
        answer: asyncio.Future[BudgetGrant] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        ask = BudgetAsk(spec.name, spec.incarnation, number, kind, address, weight, budget.limit, budget.period_s)
        self._context.send(ask)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            self.unanswered_total += 1
            self._context.log.warning("budget_unanswered", kind=kind, address=address, waited_s=ANSWER_S)
            return None
        finally:
            del self._pending[number]


class AddressLimit:
    """One rate limit at one address; callers wait at most `wait_s_max` seconds."""

    def __init__(
        self, client: RateLimitClient, kind: BudgetKind, address: str, budget: Budget, wait_s_max: float
    ) -> None:
        self._client = client
        self._kind = kind
        self._address = address
        self._budget = budget
        self._wait_s_max = wait_s_max

    async def acquire(self, weight: int = 1) -> None:
        """Wait until `weight` may be spent; raises `RateLimitExhausted` if that takes too long."""
        await self._client.acquire(self._kind, self._address, self._budget, weight, self._wait_s_max)

    def spent(self, retry_after_s: float) -> None:
        """Report that the exchange accepts nothing more for `retry_after_s` seconds."""
        self._client.spent(self._kind, self._address, retry_after_s)


def budget_at(url: str, budget: Budget) -> Budget:
    """Return the limit that holds at `url`; none on this machine, where the exchange is a simulated one."""
    return Budget() if urlsplit(url).hostname in _LOOPBACK else budget


def address_of(url: str, proxy: str | None) -> str:
    """Return the address at which an exchange counts: host and port, and the proxy's if there is one."""
    return _host_and_port(url) if proxy is None else f"{_host_and_port(url)} through {_host_and_port(proxy)}"


def _host_and_port(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or ''}:{parts.port or _PORTS.get(parts.scheme, 0)}"
