"""Where the web view listens, and which protections that address needs."""

from __future__ import annotations

import ipaddress
import socket
import ssl

from msgspec import Struct

from foxtrot_supervisor.web.access import Policy, allowed_hosts, digest

__all__ = ["Address", "ListenRefused", "Protection", "bind", "parse_address", "policy_for", "tls_context", "url_of"]

_BACKLOG = 64


class ListenRefused(Exception):
    """The address cannot be used, or not in this way; the text says what to do."""


class Address(Struct, frozen=True):
    """An address to listen on."""

    host: str
    """An IP address, without brackets."""
    port: int
    """0: any free port."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of this machine."""
        return ipaddress.ip_address(self.host).is_unspecified


class Protection(Struct, frozen=True, kw_only=True):
    """What protects the view, as the command line says."""

    token: str | None = None
    token_to_read: bool = False
    hosts: tuple[str, ...] = ()
    """Names by which browsers address the view, in addition to the address itself."""
    with_tls: bool = False
    insecure: bool = False
    """Without TLS although others on the network can connect and listen in."""


def parse_address(text: str) -> Address:
    """Return the address for ``HOST:PORT``, ``[IPv6]:PORT`` or ``localhost:PORT``; raises `ListenRefused`."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ListenRefused(f"--listen {text}: give an address and a port, such as 127.0.0.1:8737")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if host == "localhost":
        host = "127.0.0.1"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ListenRefused(f"--listen {text}: {host or 'nothing'} is not an IP address") from None
    return Address(host, int(port))


def policy_for(address: Address, protection: Protection) -> Policy:
    """Return what is accepted at `address`, whose port is known; raises `ListenRefused` if that is not safe."""
    if protection.token_to_read and protection.token is None:
        raise ListenRefused("--token-to-read needs --token-file")
    if not address.is_loopback:
        if protection.token is None:
            raise ListenRefused(f"{address.host} can be reached from other machines: that needs --token-file")
        if not protection.with_tls and not protection.insecure:
            raise ListenRefused(
                f"{address.host} can be reached from other machines: use --tls-cert and --tls-key, or --insecure to "
                "send the token and all data unencrypted"
            )
        if address.is_wildcard and not protection.hosts:
            raise ListenRefused(f"{address.host} is every address of this machine: name it for browsers with --host")
    names = [*protection.hosts]
    if not address.is_wildcard:
        names.append(address.host)
    if address.is_loopback:
        names += ["localhost"]
    return Policy(
        hosts=allowed_hosts(names, address.port),
        scheme="https" if protection.with_tls else "http",
        token=None if protection.token is None else digest(protection.token),
        token_to_read=protection.token_to_read or not address.is_loopback,
    )


def bind(address: Address) -> tuple[socket.socket, Address]:
    """Return a listening socket and its address with the port; raises `ListenRefused`."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address.host, address.port))
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise ListenRefused(f"cannot listen on {address.host} port {address.port}: {error.strerror}") from None
    return listening, Address(address.host, listening.getsockname()[1])


def tls_context(cert: str | None, key: str | None) -> ssl.SSLContext | None:
    """Return the context for a certificate and its key, None without them; raises `ListenRefused`."""
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise ListenRefused("--tls-cert and --tls-key belong together")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise ListenRefused(f"{cert}, {key}: {error}") from None
    return context


def url_of(address: Address, policy: Policy) -> str:
    """Return the address of the page."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{policy.scheme}://{host}:{address.port}/"
