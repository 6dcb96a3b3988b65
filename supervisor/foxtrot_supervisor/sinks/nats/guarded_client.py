"""A client of nats-py that says nothing to a server without TLS where TLS is demanded."""

from __future__ import annotations

from nats.aio.client import Client

from foxtrot_supervisor.sinks.sink import SinkMisconfigured

__all__ = ["guarded_client"]


class _EncryptedClient(Client):
    def _connect_command(self) -> bytes:
        # nats-py encrypts if the server asks for it, in plain text: who stands between could leave that out, and would
        # be sent user and password. Both names are private, and the same since nats-py 2.9
        if not self._server_info.get("tls_required"):
            raise SinkMisconfigured("the server offers no TLS: nothing was sent to it")
        return super()._connect_command()


def guarded_client(demands_tls: bool) -> Client:
    """Return a client that is not connected; `demands_tls`: connecting raises `SinkMisconfigured` without TLS."""
    return _EncryptedClient() if demands_tls else Client()
