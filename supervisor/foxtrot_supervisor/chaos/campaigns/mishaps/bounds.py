"""Mishaps of group H: peers that never finish, never pause, or count in leaps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from foxtrot_supervisor.chaos.harness.frame_server import frame_server
from foxtrot_supervisor.chaos.harness.place import LIMIT_S, Place, at, sim

__all__ = ["SCENARIOS"]

_EMPTY_TEXT_FRAME = b"\x81\x00"

_HUNG_S = 4.0
"""Limit for a heartbeat in the flood, multiplied by the patience."""

_LEAP = 1_000
_HOLES_MAX = 80
"""Gaps that may come before a stream is demoted: 32 holes in a row, each announced and perhaps called filled."""


def rest_trickle(place: Place) -> None:
    """A snapshot whose body comes byte by byte."""
    exchange = place.exchange()
    exchange.inject("rest_trickle", topic="depth", count=1)
    run = place.start(at(exchange, channels=["trade", "book"]))
    place.wait(lambda: run.log.lines("rest_failed"), 2 * LIMIT_S, "the end of the request")
    reason = str(run.log.lines("rest_failed")[0]["sample"])
    place.expect("no complete answer within 20 s" in reason, f"the deadline is the reason, not {reason!r}")
    place.wait(
        lambda: place.topics(run, "feed.a").get("btcusdt@depth@100ms", {}).get("state") == "flowing",
        LIMIT_S,
        "the book to flow",
    )
    place.stop(run)


def tiny_frames(place: Place) -> None:
    """As many empty frames as the client takes, with either client."""
    for client in ("picows", "websockets"):
        _flood(place, client)


def _flood(place: Place, client: str) -> None:
    with frame_server(_EMPTY_TEXT_FRAME) as url:
        flooded = sim("flood", url=url, rest_url="http://127.0.0.1:1", client=client, essential=False)
        hung_s = _HUNG_S * place.patience
        run = place.start(flooded, supervisor={"hung_s": hung_s, "ready_s": 10 * hung_s})
        place.wait(lambda: place.worker(run, "flood.a").get("frames_total"), LIMIT_S, f"frames, {client}")
        run.rest(3 * hung_s)
        # nothing is acknowledged here, so the worker may give the connection up; it must never be silent
        causes = [line["cause"] for line in run.log.lines("worker_state", worker="flood.a")]
        place.expect(not any("no heartbeat" in cause for cause in causes), f"{client}: not killed as hung: {causes}")
        place.stop(run)


def identifiers_leap(place: Place) -> None:
    """Identifiers that are no sequence though the exchange says so."""
    exchange = place.exchange()
    run = place.start(at(exchange), engine=place.notes())
    place.serving(run)
    exchange.inject("ids_leap", count=_LEAP)
    place.wait(lambda: place.worker(run, "feed.a").get("demoted_total"), LIMIT_S, "the demotion")
    gaps = len(place.noted("eGap."))
    place.flows_on(run)
    run.rest(2.0)
    place.expect(len(place.noted("eGap.")) <= gaps + 2, "no further gaps")
    place.expect(gaps <= _HOLES_MAX, f"at most {_HOLES_MAX} gaps before it, not {gaps}")
    demoted = place.worker(run, "feed.a")["demoted_total"]
    place.expect(demoted == 1, f"demoted once, not {demoted} times")
    place.stop(run)


SCENARIOS: Final[dict[str, Callable[[Place], None]]] = {
    "rest_trickle": rest_trickle,
    "tiny_frames": tiny_frames,
    "identifiers_leap": identifiers_leap,
}
