"""Mishaps of group E: one topic fails among many on one connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from foxtrot_supervisor.chaos.harness.exchange import ExchangeProcess
from foxtrot_supervisor.chaos.harness.place import LIMIT_S, Place, at
from foxtrot_supervisor.chaos.harness.supervised_run import SupervisedRun

__all__ = ["SCENARIOS"]

_SYMBOLS = ("BTCUSDT", "ETHUSDT")
_TOPICS = frozenset(
    f"{symbol.lower()}@{kind}" for symbol in _SYMBOLS for kind in ("trade", "bookTicker", "depth@100ms")
)


def _begin(place: Place, exchange: ExchangeProcess, **more: object) -> SupervisedRun:
    return place.start(at(exchange, symbols=list(_SYMBOLS), channels=["trade", "quote", "book"], **more))


def _flow(place: Place, run: SupervisedRun, topics: frozenset[str], worker: str = "feed.a") -> None:
    def all_flow() -> bool:
        found = place.topics(run, worker)
        return all(topic in found and found[topic]["state"] == "flowing" for topic in topics)

    place.wait(all_flow, LIMIT_S, f"{len(topics)} topics to flow")


def one_silent_topic(place: Place) -> None:
    """Its market moves on, as REST shows, but the exchange sends nothing, on a new connection neither."""
    exchange = place.exchange(*_SYMBOLS)
    run = _begin(place, exchange, stale_after_s=2.0)
    _flow(place, run, _TOPICS)
    exchange.inject("silence", topic="ethusdt@trade")
    place.wait(
        lambda: place.topics(run, "feed.a")["ethusdt@trade"]["state"] in ("stale", "silent"), LIMIT_S, "the finding"
    )
    others = _TOPICS - {"ethusdt@trade"}
    place.wait(lambda: place.worker(run, "feed.b").get("state") == "RUNNING", LIMIT_S, "a new connection")
    _flow(place, run, others, "feed.b")
    run.rest(3.0)  # the topic has never flowed on the new connection, which stays
    place.expect(exchange.connections_total() == 2, "one new connection is enough")
    exchange.clear()
    _flow(place, run, _TOPICS, "feed.b")
    place.stop(run)


def passing_refusal(place: Place) -> None:
    """A rate limit that hits one topic twice."""
    exchange = place.exchange(*_SYMBOLS)
    exchange.inject("subscribe_refuse", topic="ethusdt@bookTicker", code=-1003, reason="Too many requests.", count=2)
    run = _begin(place, exchange)
    _flow(place, run, _TOPICS)
    place.expect(exchange.connections_total() == 1, "the connection stays")
    place.stop(run)


def final_refusal(place: Place) -> None:
    """An invalid symbol by the exchange's word."""
    exchange = place.exchange(*_SYMBOLS)
    exchange.inject("subscribe_refuse", topic="ethusdt@trade", code=-1121, reason="Invalid symbol.", count=10_000)
    run = _begin(place, exchange)
    _flow(place, run, _TOPICS - {"ethusdt@trade"})
    refused = place.wait(
        lambda: {**place.topics(run, "feed.a")["ethusdt@trade"]} if _is_invalid(place, run) else {}, LIMIT_S, "invalid"
    )
    place.expect(refused.get("final"), "it is final")
    place.expect("-1121" in refused.get("reason", ""), f"the exchange's code is told: {refused.get('reason')}")
    place.expect(exchange.connections_total() == 1, "the connection stays")
    place.stop(run)


def _is_invalid(place: Place, run: SupervisedRun) -> bool:
    return place.topics(run, "feed.a").get("ethusdt@trade", {}).get("state") == "invalid"


SCENARIOS: Final[dict[str, Callable[[Place], None]]] = {
    "one_silent_topic": one_silent_topic,
    "passing_refusal": passing_refusal,
    "final_refusal": final_refusal,
}
