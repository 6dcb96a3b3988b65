"""Access to a store: checks of files and addresses, TLS contexts, passwords from private files."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from foxtrot_supervisor.sinks.sink import SinkMisconfigured
from foxtrot_supervisor.sinks.stores.address import StoreAddress
from foxtrot_supervisor.sinks.stores.settings import StoreSettings
from foxtrot_supervisor.system.secret_file import SecretRefused, open_secret, read_secret

__all__ = ["PASSWORD_CHARS_MAX", "access_problems", "password_of", "plain_text_problem", "tls_context"]

PASSWORD_CHARS_MAX = 4096


def access_problems(settings: StoreSettings) -> list[tuple[str, str]]:
    """Return key and reason of each file in `settings` that cannot be used."""
    found = []
    if settings.password_file is not None:
        try:
            read_secret(settings.password_file, least=1, most=PASSWORD_CHARS_MAX)
        except SecretRefused as refusal:
            found.append(("password_file", str(refusal)))
    for key in ("ca_file", "cert_file"):
        path = getattr(settings, key)
        if path is not None and not Path(path).is_file():
            found.append((key, f"{path}: no such file"))
    if settings.key_file is not None:
        try:
            os.close(open_secret(settings.key_file))
        except SecretRefused as refusal:
            found.append(("key_file", str(refusal)))
    if (settings.cert_file is None) != (settings.key_file is None):
        found.append(("cert_file", "cert_file and key_file belong together: set both or none"))
    return found


def plain_text_problem(address: StoreAddress, settings: StoreSettings, remedy: str) -> str | None:
    """Return why `address` must not be used, None if it may: plain text leaves this machine on demand only.

    `remedy`: what to write for TLS, such as "tls://".
    """
    if address.tls or address.is_local or settings.insecure:
        return None
    return f"{address.host} would be sent plain text: use {remedy}, or set insecure = true"


def password_of(settings: StoreSettings) -> str | None:
    """Return the password, None if none is configured; raises `SinkMisconfigured`."""
    if settings.password_file is None:
        return None
    try:
        return read_secret(settings.password_file, least=1, most=PASSWORD_CHARS_MAX)
    except SecretRefused as refusal:
        raise SinkMisconfigured(str(refusal)) from None


def tls_context(settings: StoreSettings) -> ssl.SSLContext:
    """Return a context that verifies the store's certificate and name; raises `SinkMisconfigured`."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file is not None:
            # without a password callback, OpenSSL would ask for a passphrase on the terminal
            context.load_cert_chain(settings.cert_file, settings.key_file, password=lambda: b"")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise SinkMisconfigured(f"TLS files: {getattr(error, 'strerror', None) or error}") from None
    return context
