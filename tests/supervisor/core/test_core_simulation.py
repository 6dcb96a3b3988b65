"""Ten thousand seeded schedules through the core, each watched by the observer of `core_invariants`."""

from __future__ import annotations

from collections import Counter

import pytest

from foxtrot_protocol.exit_codes import SupervisorExit
from tests.support.process_world import World

SCHEDULES = 10_000
BLOCKS = 10


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_promise_is_broken_in_any_schedule(block: int) -> None:
    """A failure prints its seed: ``World(seed).run()`` plays it again."""
    met: Counter[str] = Counter()
    ends: Counter[SupervisorExit | None] = Counter()
    size = SCHEDULES // BLOCKS
    for seed in range(block * size, (block + 1) * size):
        world = World(seed)
        try:
            world.run()
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        met.update(world.met)
        ends[world.core.exit_code] += 1
    for thing in (
        "SIGTERM",
        "SIGKILL",
        "hung",
        "lost",
        "suspended",
        "late messages",
        "FATAL",
        "EXITED",
        "budget spent",
        "reloaded",
        "spare",
        "rotated",
        "twin rotated",
    ):
        assert met[thing] >= size // 200, f"too few schedules came across {thing!r}: {met}"
    for code in (
        SupervisorExit.CLEAN,
        SupervisorExit.START_FAILED,
        SupervisorExit.KILL_NEEDED,
        SupervisorExit.ESSENTIAL_FATAL,
        SupervisorExit.UNKILLABLE,
    ):
        assert ends[code] >= size // 200, f"too few schedules ended with {code!r}: {ends}"


def test_a_seed_is_a_schedule() -> None:
    """The same seed plays the same schedule, another seed another."""

    def played(seed: int) -> tuple[int, float, object]:
        world = World(seed)
        world.run()
        return world.inputs, world.now, world.core.exit_code

    assert played(7) == played(7)
    assert len({played(seed) for seed in range(20)}) > 10
