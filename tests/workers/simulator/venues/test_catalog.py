from __future__ import annotations

from typing import get_args

import pytest

from foxtrot_workers.simulator.venues.catalog import make_venue
from foxtrot_workers.simulator.venues.options import ExchangeName


@pytest.mark.parametrize("name", get_args(ExchangeName))
def test_each_server_has_a_venue_of_its_own(name: ExchangeName) -> None:
    one, other = make_venue(name), make_venue(name)
    assert one is not other
    assert one.publisher is not other.publisher
