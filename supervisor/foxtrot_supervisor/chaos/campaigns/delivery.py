"""Campaigns against delivery: many kills under load, or an engine that stands still, judged by the exchange's ledger.

Each has a supervisor and a simulated exchange of its own. A handler in the engine writes down what it is given
(`harness.recorder`); at the end `rules.delivery_judge` compares that with what the exchange has sent. `rules.kill_plan`
decides which process is killed where.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from foxtrot_supervisor.chaos.campaigns import markets
from foxtrot_supervisor.chaos.campaigns.delivery_run import RECOVERY_S, DeliveryRun, flows, rings_have_room, serves
from foxtrot_supervisor.chaos.campaigns.markets import market_symbols
from foxtrot_supervisor.chaos.campaigns.splits import CONNECTION, SHARDS_FIRST, VICTIMS, split_shards, symbols_for
from foxtrot_supervisor.chaos.harness.ground import Ground
from foxtrot_supervisor.chaos.harness.recorder import Nap
from foxtrot_supervisor.chaos.harness.supervised_run import Trouble
from foxtrot_supervisor.chaos.rules.delivery_judge import Promises
from foxtrot_supervisor.chaos.rules.kill_plan import Strike, counted, strikes_for
from foxtrot_supervisor.chaos.rules.report import figures
from foxtrot_supervisor.chaos.rules.schedule import ChaosOptions, Progress

__all__ = ["run_campaigns"]


ENGINE_PAUSE_S_MAX: Final = 0.3
"""Longest time that an engine serves before it is killed again."""


# ---- campaigns


def run_campaigns(options: ChaosOptions, progress: Progress) -> dict[str, Any]:
    """Every campaign that is asked for, one after the other; the report."""
    wanted: list[tuple[str, Callable[[_Campaign], None]]] = []
    if options.kills:
        wanted.append((f"{options.kills} SIGKILLs of workers", _Campaign.kill_workers))
    if options.engine_kills:
        wanted.append((f"{options.engine_kills} SIGKILLs of the engine", _Campaign.kill_engines))
    if options.pair_kills:
        wanted.append((f"{options.pair_kills} SIGKILLs of both twins", _Campaign.kill_pairs))
    if options.engine_stop_s:
        wanted.append((f"engine stopped for {options.engine_stop_s:g} s", _Campaign.stop_engine))
    if options.splits:
        wanted.append((f"{options.splits} splits of shards", _Campaign.split_shards))
        wanted.append((f"{options.splits} splits of shards with SIGKILLs", _Campaign.split_shards_and_kill))
    if options.markets:
        wanted.append((f"{options.markets} symbols by pattern, limits enforced", _Campaign.spread_markets))
    rows: list[dict[str, Any]] = []
    logs: list[str] = []
    for title, perform in wanted:
        progress(title)
        names: dict[str, str | list[str]] = {f"load{number}": f"LOAD{number}USDT" for number in range(options.workers)}
        symbols = [str(symbol) for symbol in names.values()]
        if perform in (_Campaign.split_shards, _Campaign.split_shards_and_kill):
            symbols = symbols_for(options.splits)
            names = {CONNECTION: symbols}
        elif perform is _Campaign.spread_markets:
            symbols, names = market_symbols(options.markets), {markets.CONNECTION: markets.PATTERN}
        with Ground(
            symbols,
            enforce=perform is _Campaign.spread_markets,
            rate=options.rate_per_s,
            seed=options.seed,
            venue=options.venue,
            transport=options.transport,
        ) as ground:
            campaign = _Campaign(ground, names, options, progress)
            row = campaign.play(title, perform)
            if row["broken"]:
                logs.append(str(ground.keep()))
        rows.append(row)
        progress(f"{title}: {'; '.join(row['broken']) or 'held'}")
    broken = [f"{row['campaign']}: {each}" for row in rows for each in row["broken"]]
    return {"held": not broken, "broken": broken, "campaigns": rows, "logs": ", ".join(logs) or None}


class _Campaign:
    """One of them."""

    def __init__(
        self, ground: Ground, names: dict[str, str | list[str]], options: ChaosOptions, progress: Progress
    ) -> None:
        self._ground = ground
        self._names = names
        self._options = options
        self._progress = progress
        self._random = random.Random(options.seed)
        self._broken: list[str] = []
        self._row: dict[str, Any] = {}
        self._recoveries_ms: list[float] = []

    def play(self, title: str, perform: Callable[[_Campaign], None]) -> dict[str, Any]:
        """The row of the report."""
        try:
            perform(self)
        except Trouble as trouble:
            self._broken.append(str(trouble))
        options = self._options
        return {
            "campaign": title,
            "connections": options.workers,
            "exchange": options.exchange,
            "redundancy": options.redundancy,
            "backfill": options.backfill,
            "broken": self._broken,
            "recovery_ms": figures(self._recoveries_ms),
            **self._row,
        }

    def _run(
        self,
        promises: Promises,
        work: Callable[[DeliveryRun], None],
        strikes: Sequence[Strike] = (),
        *,
        rings: int,
        **more: Any,
    ) -> None:
        """Run from start to end; `work` injects the faults."""
        run = DeliveryRun(self._ground, self._names, self._options, strikes, **more)
        try:
            run.all_serve()
            run.wait_for_events()
            began = time.monotonic()
            events = run.status()["engine"]["events_total"]
            work(run)
            took_s = time.monotonic() - began
            account, broken, last = run.finish(promises, healed=self._options.backfill)
            self._broken += broken + run.memory_broken(rings)
            self._row |= {
                "took_s": round(took_s, 1),
                "events_per_s": round((last["engine"]["events_total"] - events) / max(took_s, 0.001)),
                "delivery": msgspec.to_builtins(account),
                "workers": {key: sum(each[key] for each in last["workers"]) for key in _SUMMED},
                "memory_mib": run.memory,
            }
        finally:
            self._broken += run.close()

    # ---- workers

    def kill_workers(self) -> None:
        """Kill in each connection independently: while one recovers another is struck."""
        options = self._options
        shares = [options.kills // options.workers] * options.workers
        shares[0] += options.kills - sum(shares)
        strikes = {
            name: strikes_for(self._random.random, share, [f"{name}.{side}" for side in "ab"[: options.redundancy]])
            for name, share in zip(self._names, shares, strict=True)
        }
        whole = [strike for each in strikes.values() for strike in each]
        self._row["kills"] = options.kills
        self._row["phases"] = dict(counted(whole))
        promises = Promises(
            complete=options.redundancy > 1 or (options.backfill and options.venue.backfills),
            same_book=options.redundancy > 1,
            whole=options.redundancy == 1,
        )
        rings = options.workers * options.redundancy * 4  # those of the dead wait for their turn
        self._run(promises, lambda run: self._strike_all(run, strikes), whole, rings=rings)

    def _strike_all(self, run: DeliveryRun, strikes: dict[str, list[Strike]]) -> None:
        """Strike each connection whenever all its sides serve, until everything is done."""
        waiting = {name: list(reversed(each)) for name, each in strikes.items() if each}
        expected = dict.fromkeys(run.workers, 1)
        not_before = dict.fromkeys(self._names, 0.0)
        struck_at: dict[str, float] = {}
        done, total = 0, sum(1 + len(strike.early) for each in strikes.values() for strike in each)
        while waiting or struck_at:
            status = run.wait(
                lambda status: any(self._ready(status, name, expected, not_before) for name in {*waiting, *struck_at}),
                RECOVERY_S,
                "a connection all sides of which serve",
            )
            now = time.monotonic()
            for name in {*waiting, *struck_at}:
                if not self._ready(status, name, expected, not_before):
                    continue
                if name in struck_at:
                    self._recoveries_ms.append((now - struck_at.pop(name)) * 1000.0)
                    if name in waiting:
                        not_before[name] = now + waiting[name][-1].pause_s
                    continue
                strike = waiting[name].pop()
                if not waiting[name]:
                    del waiting[name]
                self._deal(status, strike)
                struck_at[name] = now
                expected[strike.worker] = strike.next_incarnation
                before, done = done, done + 1 + len(strike.early)
                if before // 100 != done // 100 or done == total:
                    self._progress(f"  {done} of {total}", done, total)
                else:
                    self._progress("", done, total)

    def _ready(self, status: dict[str, Any], name: str, expected: dict[str, int], not_before: dict[str, float]) -> bool:
        mine = [each for each in status["workers"] if each["connection"] == name]
        return time.monotonic() >= not_before[name] and all(
            flows(each) and each["incarnation"] >= expected[each["name"]] for each in mine
        )

    def _deal(self, status: dict[str, Any], strike: Strike) -> None:
        (worker,) = (each for each in status["workers"] if each["name"] == strike.worker)
        if worker["incarnation"] != strike.incarnation:
            raise Trouble(
                f"{strike.worker} is incarnation {worker['incarnation']}, not {strike.incarnation}: it was not killed"
            )
        how = {"anywhere": signal.SIGKILL, "drain": signal.SIGTERM}.get(strike.phase, signal.SIGUSR1)
        os.kill(worker["pid"], how)

    # ---- the engine

    def kill_engines(self) -> None:
        """Under load, at random moments; connections are not to notice."""
        self._row["kills"] = self._options.engine_kills
        promises = Promises(complete=True, same_book=True, engines_killed=self._options.engine_kills)
        rings = self._options.workers * self._options.redundancy
        # so that many die in the midst of a batch
        self._run(promises, self._kill_engine_again_and_again, rings=rings, nap=Nap(20, 0.002, 1_000_000))

    def _kill_engine_again_and_again(self, run: DeliveryRun) -> None:
        before = {each["name"]: (each["pid"], each["incarnation"]) for each in run.status()["workers"]}
        for number in range(1, self._options.engine_kills + 1):
            time.sleep(self._random.random() * ENGINE_PAUSE_S_MAX)
            engine = run.status()["engine"]
            killed_at = time.monotonic()
            os.kill(engine["pid"], signal.SIGKILL)
            run.wait(
                lambda status, old=engine: (
                    status["engine"]["incarnation"] > old["incarnation"] and serves(status["engine"])
                ),  # type: ignore[misc]  # the engine of this turn
                RECOVERY_S,
                "the next engine",
            )
            run.wait_for_events()
            self._recoveries_ms.append((time.monotonic() - killed_at) * 1000.0)
            # an engine that is killed before it has caught up would sooner or later find the rings full
            run.wait(rings_have_room, 4 * RECOVERY_S, "the rings to be taken")
            kept = f"  {number} of {self._options.engine_kills}" if number % 10 == 0 else ""
            self._progress(kept, number, self._options.engine_kills)
        after = {each["name"]: (each["pid"], each["incarnation"]) for each in run.status()["workers"]}
        self._row["connections_untouched"] = before == after
        if before != after:
            self._broken.append(f"connections were disturbed: {before} became {after}")

    def stop_engine(self) -> None:
        """SIGSTOP, so long, SIGCONT; everything is to come then, or to be announced."""
        self._run(Promises(), self._stop_and_continue, rings=self._options.workers * self._options.redundancy)

    def _stop_and_continue(self, run: DeliveryRun) -> None:
        engine = run.status()["engine"]["pid"]
        os.kill(engine, signal.SIGSTOP)
        try:
            until = time.monotonic() + self._options.engine_stop_s
            run.wait(lambda _: time.monotonic() >= until, self._options.engine_stop_s + 5.0, "the end of the stop")
        finally:
            os.kill(engine, signal.SIGCONT)
        continued_at = time.monotonic()
        run.wait(
            rings_have_room,
            4 * RECOVERY_S,
            "the rings to be taken",
        )
        self._recoveries_ms.append((time.monotonic() - continued_at) * 1000.0)
        self._row["dropped"] = sum(each["dropped_total"] for each in run.status()["workers"])

    # ---- shards

    def split_shards(self) -> None:
        """Undisturbed: nothing is missing, no book is taken up again."""
        self._split(Promises(complete=True, same_book=True, whole=self._options.redundancy == 1), ())

    def split_shards_and_kill(self) -> None:
        """While the new worker, the old one or the engine is killed."""
        options = self._options
        complete = options.redundancy > 1 or (options.backfill and options.venue.backfills)
        self._split(Promises(complete=complete, engines_killed=options.splits), VICTIMS)

    def _split(self, promises: Promises, victims: Sequence[str]) -> None:
        splits = self._options.splits
        self._row["splits"] = splits
        rings = (splits + SHARDS_FIRST) * self._options.redundancy * 2
        self._run(
            promises,
            lambda run: self._recoveries_ms.extend(split_shards(run, splits, victims, self._random, self._progress)),
            rings=rings,
            shard_symbols=-(-(splits + SHARDS_FIRST) // SHARDS_FIRST),
        )

    def spread_markets(self) -> None:
        """All flow, no limit is broken; a listing and a delisting touch no other."""
        markets.kept_lists_in(str(self._ground.folder / "cache"))
        delisted = market_symbols(self._options.markets)[-1]
        self._run(
            Promises(complete=True, whole=self._options.redundancy == 1),
            lambda run: self._row.update(markets.change_markets(run, self._ground, delisted)),
            rings=markets.SHARDS * self._options.redundancy * 2,
            shard_symbols=-(-self._options.markets // markets.SHARDS),
            channels=["trade", self._ground.venue.quotes],
            settings={"markets_refresh_s": markets.REFRESH_S},
        )

    # ---- twins

    def kill_pairs(self) -> None:
        """Both twins of a connection at once: what was made until one of them is back is announced, exactly."""
        if self._options.redundancy < 2:
            raise Trouble("pairs are killed where there are twins: redundancy 2")
        self._row["kills"] = self._options.pair_kills
        rings = self._options.workers * self._options.redundancy * 4
        venue = self._options.venue
        promises = Promises(complete=self._options.backfill and venue.backfills, in_order=venue.ordered_trades)
        self._run(promises, self._kill_pairs, rings=rings)

    def _kill_pairs(self, run: DeliveryRun) -> None:
        names = list(self._names)
        for number in range(1, self._options.pair_kills + 1):
            time.sleep(self._random.random() * ENGINE_PAUSE_S_MAX)
            name = names[number % len(names)]
            pair = [each for each in run.status()["workers"] if each["connection"] == name]
            killed_at = time.monotonic()
            for each in pair:
                os.kill(each["pid"], signal.SIGKILL)
            old = {each["name"]: each["incarnation"] for each in pair}
            run.wait(
                lambda status, old=old: all(  # type: ignore[misc]  # the pair of this turn
                    flows(each) and each["incarnation"] > old[each["name"]]
                    for each in status["workers"]
                    if each["name"] in old
                ),
                RECOVERY_S,
                f"both sides of {name}",
            )
            self._recoveries_ms.append((time.monotonic() - killed_at) * 1000.0)
            kept = f"  {number} of {self._options.pair_kills}" if number % 10 == 0 else ""
            self._progress(kept, number, self._options.pair_kills)


_SUMMED: Final = (
    "committed_total",
    "applied_total",
    "deduplicated_total",
    "superseded_total",
    "lost_total",
    "gaps_total",
    "late_total",
)
