"""A pattern that selects every symbol of an exchange which enforces its limits; one is listed and one delisted live."""

from __future__ import annotations

import os
from typing import Any, Final

from foxtrot_supervisor.chaos.campaigns.delivery_run import DeliveryRun, flows
from foxtrot_supervisor.chaos.harness.ground import Ground
from foxtrot_supervisor.chaos.harness.supervised_run import Trouble

__all__ = ["CONNECTION", "PATTERN", "REFRESH_S", "SHARDS", "change_markets", "kept_lists_in", "market_symbols"]

CONNECTION: Final = "all"

PATTERN: Final = "*-USDT"

SHARDS: Final = 4
"""Shards, where the exchange does not need more."""

REFRESH_S: Final = 5.0
"""Interval at which the instrument list is read again."""

LISTED: Final = "NEWUSDT"

CHANGE_S: Final = 60.0
"""Longest time until a listing or delisting is followed."""


def market_symbols(count: int) -> list[str]:
    """Return the symbols of the exchange."""
    return [f"M{number:05}USDT" for number in range(count)]


def kept_lists_in(folder: str) -> None:
    """Have supervisors that this process starts keep instrument lists in `folder`."""
    os.environ["XDG_CACHE_HOME"] = folder


def change_markets(run: DeliveryRun, ground: Ground, delisted: str) -> dict[str, Any]:
    """List one symbol, delist another, and wait until both are followed; figures for the report.

    Raises `Trouble` if a limit of the exchange was broken, or a worker was touched that has nothing to do with either.
    """
    before = _workers(run.status())
    ground.exchange.ask("POST", "/sim/fault", {"kind": "list", "topic": LISTED})
    run.wait(lambda status: LISTED in _symbols(status) and _all_flow(status), CHANGE_S, "the listing")
    ground.exchange.ask("POST", "/sim/fault", {"kind": "delist", "topic": delisted})
    run.wait(lambda status: delisted not in _symbols(status), CHANGE_S, "the delisting")
    run.wait_for_events()
    status = run.wait(_all_flow, CHANGE_S, "all to flow")
    after = _workers(status)
    if before != {name: after.get(name) for name in before}:
        raise Trouble(f"workers were touched: {before} became {after}")
    ledger = ground.exchange.ask("GET", "/sim/ledger")
    if ledger["violations"]:
        raise Trouble(f"limits of the exchange were broken: {ledger['violations']}")
    market = status["markets"][CONNECTION]
    return {
        "symbols": market["symbols"],
        "shards": market["shards"],
        "handshakes": ledger["opened_total"],
        "rate_limits": {each["kind"]: f"{each['used']} of {each['limit']}" for each in status["budgets"]},
    }


def _all_flow(status: dict[str, Any]) -> bool:
    return all(map(flows, status["workers"]))


def _workers(status: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {each["name"]: (each["pid"], each["incarnation"]) for each in status["workers"]}


def _symbols(status: dict[str, Any]) -> set[str]:
    return {topic["topic"].partition("@")[0].upper() for each in status["workers"] for topic in each["topics"]}
