"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Speed is no subject of a test: a busy machine must not fail one. FOXTROT_FUZZ=1 looks for new examples each time.
settings.register_profile(
    "foxtrot",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="FOXTROT_FUZZ" not in os.environ,
)
settings.load_profile("foxtrot")
