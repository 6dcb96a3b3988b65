"""What all runs of a chaos campaign share: a private folder and a simulated exchange with its ledger.

Supervisors under test are started as users start them and watched from outside: their JSON log tells states and when
they changed, the engine's live events tell what arrived, the operators' socket tells process ids. Nothing of them runs
in this process, which is a subreaper: whatever escapes a supervisor becomes a child of it and is found.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from foxtrot_protocol import chaos
from foxtrot_protocol.endpoints import Transport
from foxtrot_supervisor.chaos.harness.configuration import configuration
from foxtrot_supervisor.chaos.harness.exchange import ExchangeProcess
from foxtrot_supervisor.chaos.harness.orphans import Orphans, become_subreaper, take_orphans
from foxtrot_supervisor.chaos.harness.supervised_run import SupervisedRun
from foxtrot_supervisor.chaos.rules.report import TradeAccount, account
from foxtrot_supervisor.chaos.rules.venues import Venue

__all__ = ["BOOT", "STALE_AFTER_S", "Ground"]

BOOT = "foxtrot_workers.chaos.boot:run"

HISTORY_TRADES = 200_000
"""Past trades of each symbol that the simulated exchange still gives: some minutes, the least that real ones keep."""

STALE_AFTER_S = 2.0
"""Staleness limit of every connection: data comes many times a second, and a clock that jumps must not make it stale.
"""


class Ground:
    """Folder, simulated exchange and ledger; use it as a context manager. Runs follow one another on it."""

    def __init__(
        self,
        symbols: Iterable[str],
        *,
        rate: float,
        seed: int,
        venue: Venue,
        transport: Transport,
        enforce: bool = False,
    ) -> None:
        """`rate`: orders a second that the simulated exchange works on. `transport`: of every supervisor.

        `enforce`: the exchange enforces its limits.

        Raises `Trouble` if the exchange does not start.
        """
        self._transport = transport
        become_subreaper()
        self.venue = venue
        self.folder = Path(tempfile.mkdtemp(prefix="foxtrot-chaos-"))
        self.trades: dict[str, dict[int, int]] = {}
        """How often each trade was seen, by symbol and id."""
        self._runs = 0
        self._ledger = self.folder / "ledger.jsonl"
        self._kept = False
        options = [
            "--exchange",
            venue.exchange,
            "--symbols",
            ",".join(symbols),
            "--rate",
            f"{rate}",
            "--seed",
            f"{seed}",
        ]
        options += ["--history", f"{HISTORY_TRADES}", "--ledger", str(self._ledger)]
        options += ["--enforce"] * enforce
        self.exchange = ExchangeProcess(self.folder, options)

    def start(
        self,
        plan: chaos.Plan,
        connections: Mapping[str, str | Sequence[str]],
        settings: Mapping[str, object],
        *,
        of_each: Mapping[str, object] | None = None,
        tables: Mapping[str, Mapping[str, object]] | None = None,
        follow_events: bool = True,
    ) -> SupervisedRun:
        """Start a supervisor with `connections` (name and symbols); `of_each`: further keys that all of them have.

        `tables`: further tables of the configuration. `follow_events`: read the engine's live events during the run.
        Without a plan nothing is hooked: children are what they are for users, and as fast. All runs use the same
        run directory, so that each start also shows that the run before has left it usable.
        """
        self._runs += 1
        run_dir = self.folder / "run"
        shared = Path(chaos.folder(str(run_dir)))
        shutil.rmtree(shared, ignore_errors=True)
        shared.mkdir(mode=0o700)
        Path(chaos.plan_path(str(run_dir))).write_bytes(chaos.encode_plan(plan))
        config = self.folder / "foxtrot.toml"
        common = {
            "exchange": self.venue.exchange,
            "channels": ["trade", self.venue.quotes],
            "url": self.exchange.url + self.venue.path,
            "rest_url": self.exchange.rest_url,
            "stale_after_s": STALE_AFTER_S,
            **(of_each or {}),
        }
        rows = [
            {
                "name": name,
                "symbols": [*map(self.venue.spelled, [given] if isinstance(given, str) else given)],
                **common,
            }
            for name, given in connections.items()
        ]
        whole: dict[str, dict[str, object]] = {"supervisor": {"run_dir": str(run_dir), **settings}}
        whole |= {name: dict(table) for name, table in (tables or {}).items()}
        whole.setdefault("engine", {})["transport"] = self._transport
        config.write_text(configuration(whole, rows), encoding="utf-8")
        boot = ["--boot", BOOT] if plan else []
        log_path = self.folder / f"run-{self._runs}.log"
        return SupervisedRun(
            config,
            run_dir,
            log_path,
            boot,
            trades=self.trades,
            take_orphans=self.take_orphans,
            follow_events=follow_events,
        )

    def take_orphans(self, limit_s: float) -> Orphans:
        """Return the processes still below this one after `limit_s` seconds, killed and reaped by then."""
        return take_orphans(limit_s, ExchangeProcess.pids)

    def end_exchange(self) -> TradeAccount:
        """End the simulated exchange; compare its ledger with the trades that were seen."""
        return account(self.ended_ledger(), self.trades, self.venue)

    def ended_ledger(self) -> Iterator[dict[str, Any]]:
        """End the simulated exchange, which completes its ledger; yield the rows of it."""
        self.exchange.close()
        with self._ledger.open("rb") as rows:
            for row in rows:
                yield msgspec.json.decode(row)

    def keep(self) -> Path:
        """Keep the folder with its logs after `close`; return its path."""
        self._kept = True
        return self.folder

    def close(self) -> None:
        """End the simulated exchange; remove the folder unless `keep` was called."""
        self.exchange.close()
        if not self._kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Ground:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
