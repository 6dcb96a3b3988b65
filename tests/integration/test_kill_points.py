"""Each kill point kills where it says, told by what the dead worker has left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from foxtrot_protocol import ring_layout
from foxtrot_protocol.chaos import ChildPlan, KillPoint, encode_plan, folder, plan_path
from foxtrot_protocol.commands import Hello, Ready, Stop
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import Trade
from foxtrot_protocol.ring_layout import HEADER_BYTES, Word
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.rig import WorkerRig
from tests.support.waiting import wait_until_async

PASSES = 5


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[WorkerRig]:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    rig = WorkerRig(run_dir, boot="chaos.boot")
    yield rig
    await rig.close()


def write_plan(run_dir: str, point: KillPoint) -> None:
    os.mkdir(folder(run_dir), 0o700)
    plan = {"test.a": [ChildPlan(first=1, last=1, kill_at=point, passes=PASSES)]}
    Path(plan_path(run_dir)).write_bytes(encode_plan(plan))


async def start(rig: WorkerRig, sim: SimulatedExchange, point: KillPoint) -> None:
    write_plan(str(rig.folder), point)
    await rig.start(sim.url, sim.rest_url, channels=["trade"])


class Left:
    """The ring of the dead worker."""

    def __init__(self, rig: WorkerRig) -> None:
        data = (rig.folder / "ring-test.a-1").read_bytes()
        self.words = memoryview(data)[:HEADER_BYTES].cast("Q")
        self.records = memoryview(data)[HEADER_BYTES:]
        self.head = self.words[Word.HEAD]
        mark = ring_layout.commit_mark(self.words)
        assert mark is not None, "whatever happens, what is committed can be told"
        self.mark = mark

    def stands_behind_the_head(self) -> bool:
        """Whether the next record is there, though the head does not say so."""
        try:
            record = ring_layout.read_record(self.records, self.head, self.head + 64 * 1024)
        except MalformedMessage:
            return False
        return record is not None and record.sequence == self.mark.sequence + 1

    def newest_mark(self) -> int:
        """The head that the newest mark speaks of."""
        return max(self.words[Word.COMMIT_MARK], self.words[Word.COMMIT_MARK + 8])


@pytest.mark.parametrize("point", ["starting", "connecting", "handshake"])
async def test_killed_before_there_is_anything_to_lose(rig: WorkerRig, point: KillPoint) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=1000.0) as sim:
        await start(rig, sim, point)
        assert await rig.ended() == -signal.SIGKILL
        assert bool(rig.said(Hello)) == (point != "starting")
        assert not rig.said(Ready)
        assert not rig.events(Trade)
        assert sim.ledger.opened_total <= (point == "handshake")


@pytest.mark.cases(played=2)
@pytest.mark.parametrize("point", ["parse", "record", "mark", "send"])
async def test_killed_between_two_steps_once_it_is_armed(rig: WorkerRig, point: KillPoint) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=1000.0) as sim:
        await start(rig, sim, point)
        await rig.wait_for_events(Trade, 100)
        assert rig.process is not None
        assert rig.process.returncode is None, "not armed: it lives"
        rig.process.send_signal(signal.SIGUSR1)
        assert await rig.ended() == -signal.SIGKILL
        sent = sim.ledger.sent(0, "btcusdt@trade")
    left = Left(rig)
    if point == "send":  # the receiver has taken it from the ring, or will
        await wait_until_async(
            lambda: rig.batches[-1].sequence == left.mark.sequence, what="the batch that was not sent"
        )
    assert rig.batches[-1].sequence == left.mark.sequence
    assert left.stands_behind_the_head() == (point in ("record", "mark"))
    assert (left.newest_mark() > left.head) == (point == "mark")
    got = [int(trade.trade_id) for trade in rig.events(Trade)]
    assert got == sent[: len(got)]
    assert len(got) <= left.mark.events


async def test_killed_while_it_waits_for_the_engine(rig: WorkerRig) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=1000.0) as sim:
        await start(rig, sim, "drain")
        await rig.wait_for_events(Trade, 100)
        rig.read_data = False
        await rig.wait_for_next_heartbeat()
        rig.send(Stop(5.0))
        assert rig.process is not None
        assert await rig.process.wait() == -signal.SIGKILL
    left = Left(rig)
    assert rig.batches[-1].sequence < left.mark.sequence, "the engine has not had it all"
    rig.read_data = True
    await wait_until_async(lambda: rig.batches[-1].sequence == left.mark.sequence, what="the rest, from the ring")
