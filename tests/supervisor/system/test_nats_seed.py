"""Seeds of NATS keys are judged before a client gets them."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.system.nats_seed import seed_problem
from tests.support.nats_identities import make_identities

pytest.importorskip("nkeys", reason="nkeys is not installed: the extra nats")


def test_a_file_of_credentials_and_its_seed_alone_can_be_used() -> None:
    credentials = make_identities().credentials
    assert seed_problem(credentials) == ""
    seed = next(line for line in credentials.splitlines() if line.startswith("SU"))
    assert seed_problem(f"{seed}\n") == ""


@pytest.mark.parametrize("text", ["SUX", "", "SU" + "A" * 200, "-----BEGIN USER NKEY SEED-----", "SÜ"])
def test_others_cannot(text: str) -> None:
    assert seed_problem(text) == "holds no usable seed of an nkey"


def test_a_file_whose_seed_is_damaged_cannot() -> None:
    credentials = make_identities().credentials
    seed = next(line for line in credentials.splitlines() if line.startswith("SU"))
    problem = seed_problem(credentials.replace(seed, seed[:-8]))
    assert problem
    assert seed[:-8] not in problem
    assert seed_problem(credentials.replace(seed, "")) == problem
