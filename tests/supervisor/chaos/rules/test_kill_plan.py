"""Campaigns of kills: reproducible, every phase as often as any other, twins in turn."""

from __future__ import annotations

import itertools
import random

import pytest

from foxtrot_protocol.chaos import plan_for
from foxtrot_supervisor.chaos.rules.kill_plan import KILL_PHASES, counted, plan_for_kills, spread_kills, strikes_for

TWINS = ["load.a", "load.b"]


@pytest.mark.parametrize("sides", [TWINS, ["load.a"]])
@pytest.mark.parametrize("kills", [0, 1, 7, 300])
def test_as_many_kills_as_wanted_and_each_incarnation_dies_once(sides: list[str], kills: int) -> None:
    strikes = strikes_for(random.Random(5).random, kills, sides)
    assert sum(1 + len(strike.early) for strike in strikes) == kills
    assert sum(counted(strikes).values()) == kills
    for side in sides:
        mine = [strike for strike in strikes if strike.worker == side]
        assert [strike.incarnation for strike in mine[:1]] in ([], [1])
        for before, after in itertools.pairwise(mine):
            assert after.incarnation == before.next_incarnation
    for before, after in itertools.pairwise(strikes):
        assert len(sides) == 1 or before.worker != after.worker, "in turn"


def test_the_same_seed_gives_the_same_strikes() -> None:
    first, again = (strikes_for(random.Random(5).random, 50, TWINS) for _ in range(2))
    assert first == again
    assert first != strikes_for(random.Random(6).random, 50, TWINS)


def test_every_phase_has_its_share() -> None:
    counts = counted(strikes_for(random.Random(1).random, 900, TWINS))
    assert set(counts) == set(KILL_PHASES)
    assert min(counts.values()) >= 95
    assert counted(strikes_for(random.Random(1).random, 20, TWINS, ["anywhere"]))["anywhere"] == 20


def test_the_plan_names_every_incarnation_that_dies() -> None:
    strikes = strikes_for(random.Random(3).random, 100, TWINS)
    plan = plan_for_kills(strikes)
    for strike in strikes:
        for incarnation, phase in enumerate((strike.phase, *strike.early), strike.incarnation):
            part = plan_for(plan, strike.worker, incarnation)
            assert part is not None
            assert part.kill_at == ("" if phase == "anywhere" else phase)
        after = plan_for(plan, strike.worker, strikes[-1].next_incarnation + 100)
        assert after is None, "who comes last lives"


def test_not_too_many_in_a_row_die_before_they_serve() -> None:
    strikes = strikes_for(random.Random(3).random, 100, TWINS, ["starting", "anywhere", "connecting", "handshake"])
    assert max(len(strike.early) for strike in strikes) == 3
    only_early = strikes_for(random.Random(3).random, 10, TWINS, ["starting"])
    assert sum(1 + len(strike.early) for strike in only_early) == 10


def test_kills_are_spread_one_in_each_equal_part() -> None:
    due = spread_kills(50, 864.0, random.Random(3).random)
    assert [int(each / (864.0 / 50)) for each in due] == list(range(50))
    assert len({each % (864.0 / 50) for each in due}) == 50, "at random moments"
    assert spread_kills(0, 864.0, random.Random(3).random) == []
