"""The NATS client without its optional dependency on aiohttp, which takes half of its import time."""

from __future__ import annotations

from foxtrot_protocol.lean_import import without

with without("aiohttp"):
    import nats
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription
    from nats.errors import Error as NatsError
    from nats.js import api, errors

__all__ = ["Client", "Msg", "NatsError", "Subscription", "api", "errors", "nats"]
