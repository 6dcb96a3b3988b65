"""Mishaps of group D: the connection lives, and nothing usable comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from foxtrot_supervisor.chaos.harness.exchange import ExchangeProcess
from foxtrot_supervisor.chaos.harness.place import LIMIT_S, Place, at
from foxtrot_supervisor.chaos.harness.supervised_run import SupervisedRun

__all__ = ["SCENARIOS"]

_RESTART_ID_MAX = 50_000
"""The market begins far above this, and stays below it for minutes after a restart."""

_RESTART_S = 10.0
"""Time for every stream to follow identifiers that begin again."""

_STALL_S = 60.0
"""Time until a stalled connection is replaced with default limits: 32 s where REST can be asked."""

_DOCTOR_FOUND = 8
"""Exit code of `doctor` that has found something bad."""


def silent_stall(place: Place) -> None:
    """Frames stop on every connection; the exchange answers pings and REST. Default limits: it takes half a minute."""
    exchange = place.exchange()
    run = place.start(at(exchange))
    place.serving(run)
    exchange.inject("silence")
    place.wait(
        lambda: place.worker(run, "feed.a").get("incarnation", 1) > 1 or place.worker(run, "feed.a").get("last_exit"),
        _STALL_S,
        "the end of the stalled connection",
    )
    cause = str((place.worker(run, "feed.a").get("last_exit") or {}).get("cause"))
    place.expect("no data of any topic" in cause, f"the cause says that nothing came, not {cause!r}")
    place.expect("REST shows" in cause, f"the cause says what REST shows, not {cause!r}")
    exchange.clear()
    place.serving(run)
    place.flows_on(run)
    place.stop(run)


def _snapshot_is(body: str) -> Callable[[Place], None]:
    def play(place: Place) -> None:
        exchange = place.exchange()
        exchange.inject("rest_body", topic="depth", count=2, body=body)
        run = place.start(at(exchange, channels=["trade", "book"]))
        place.wait(lambda: run.log.lines("snapshot_rejected"), LIMIT_S, "the refusal of the snapshot")
        line = run.log.lines("snapshot_rejected")[0]
        place.expect("cannot be read" in line["reason"], f"the reason is told: {line['reason']}")
        place.expect(body[:10] in line["sample"], f"a sample is shown: {line['sample']}")
        place.wait(lambda: _state(place, run, "btcusdt@depth@100ms") == "flowing", LIMIT_S, "the book to flow")
        rejected = place.worker(run, "feed.a")["snapshots_rejected_total"]
        place.expect(rejected == 2, f"both are counted, not {rejected}")
        place.expect(exchange.connections_total() == 1, "the connection stays")
        place.stop(run)

    return play


def unknown_symbol(place: Place) -> None:
    """A misspelled symbol beside a right one."""
    exchange = place.exchange("BTCUSDT", "ETHUSDT")
    run = place.start(at(exchange, symbols=["BTCUSDT", "BTCUSTD"]))
    place.wait(lambda: _state(place, run, "btcusdt@trade") == "flowing", LIMIT_S, "the known symbol to flow")
    place.wait(lambda: _state(place, run, "btcustd@trade") == "invalid", LIMIT_S, "the verdict on the unknown symbol")
    reason = place.topics(run, "feed.a")["btcustd@trade"].get("reason", "")
    place.expect("BTCUSTD" in reason and "nearest: BTCUSDT" in reason, f"the nearest match is named: {reason}")
    refused = place.ask("subscribe", "feed.a", "SOLUSDT")
    place.expect(refused.code != 0, "subscribe of an unknown symbol fails")
    place.expect("has no symbol SOLUSDT" in refused.err + refused.out, f"and says why: {refused.err}")
    found = place.ask("doctor")
    place.expect(found.code == _DOCTOR_FOUND, f"doctor: exit code 8, not {found.code}")
    place.expect("btcustd@trade" in found.out, "doctor names the topic")
    place.flows_on(run)
    place.stop(run)


def identifiers_restart(place: Place) -> None:
    """On a living connection."""
    _restart(place, lambda exchange: exchange.inject("ids_restart"))


def identifiers_restart_between(place: Place) -> None:
    """The exchange drops its connections and comes back with new identifiers."""

    def fall(exchange: ExchangeProcess) -> None:
        exchange.inject("ids_restart")
        exchange.inject("abort", connection=0)

    _restart(place, fall)


def _restart(place: Place, fall: Callable[[ExchangeProcess], None]) -> None:
    exchange = place.exchange()
    run = place.start(at(exchange, channels=["trade", "quote", "book"]), engine=place.notes())
    place.serving(run)
    keys = {"eMarketTrade.": "trade_id", "eBbo.": "update_id", "eBook.": "last_id"}
    place.wait(lambda: all(place.noted(kind) for kind in keys), LIMIT_S, "events of every kind")
    fall(exchange)
    for kind, key in keys.items():

        def followed(kind: str = kind, key: str = key) -> bool:
            return any(int(row[key]) < _RESTART_ID_MAX for row in place.noted(kind)[-20:])

        place.wait(followed, _RESTART_S, f"{kind} with the new identifiers")
    place.wait(
        lambda: any("went back from" in row["cause"] for row in place.noted("eGap.")), LIMIT_S, "the word in a gap"
    )
    place.flows_on(run)
    place.stop(run)


def _state(place: Place, run: SupervisedRun, topic: str) -> str:
    return str(place.topics(run, "feed.a").get(topic, {}).get("state", ""))


SCENARIOS: Final[dict[str, Callable[[Place], None]]] = {
    "silent_stall": silent_stall,
    "snapshot_is_html": _snapshot_is("<html><body>Please sign in.</body></html>"),
    "snapshot_is_cut_off": _snapshot_is('{"lastUpdateId":5,"bids":[["1.0","2.0"'),
    "unknown_symbol": unknown_symbol,
    "identifiers_restart": identifiers_restart,
    "identifiers_restart_between": identifiers_restart_between,
}
