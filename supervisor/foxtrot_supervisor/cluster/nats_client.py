"""The NATS client without its optional dependency on aiohttp, which takes half of its import time."""

from __future__ import annotations

from typing import Final

from foxtrot_protocol.lean_import import without

with without("aiohttp"):
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription
    from nats.errors import Error
    from nats.js import api, errors

__all__ = ["NATS_ERRORS", "Client", "Msg", "Subscription", "api", "errors"]

NATS_ERRORS: Final = (Error, TimeoutError, OSError)
"""What a request raises while the servers do not answer, or refuse."""
