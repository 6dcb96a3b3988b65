"""Exceptions of the protocol, by the side that is at fault.

::

    FoxtrotError
    ├── LocalError              this program uses the protocol wrongly
    │   └── MessageTooLarge     an outgoing message is over its limit
    └── RemoteError             the peer sent what the protocol does not allow
        ├── VersionMismatch     it speaks another version
        ├── MalformedMessage    it cannot be decoded, or breaks a type or a limit
        └── BookInvalid         its updates do not fit together (gap, checksum, crossed)

Exceptions carry data, not only text, so that a caller can count and report without parsing strings.
"""

from __future__ import annotations

__all__ = [
    "BookInvalid",
    "FoxtrotError",
    "LocalError",
    "MalformedMessage",
    "MessageTooLarge",
    "RemoteError",
    "VersionMismatch",
]


class FoxtrotError(Exception):
    """Base of all exceptions that this package raises."""


class LocalError(FoxtrotError):
    """This program has violated the protocol."""


class RemoteError(FoxtrotError):
    """The peer has violated the protocol."""


class MessageTooLarge(LocalError):
    """An outgoing message of `size_bytes` exceeds its limit of `limit_bytes`."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"message of {size_bytes} bytes is over the limit of {limit_bytes} bytes")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class VersionMismatch(RemoteError):
    """The peer speaks version `theirs`, this program `ours`."""

    def __init__(self, theirs: int, ours: int) -> None:
        super().__init__(f"peer speaks protocol version {theirs}, this program speaks {ours}")
        self.theirs = theirs
        self.ours = ours


class MalformedMessage(RemoteError):
    """A message that the protocol does not allow; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BookInvalid(RemoteError):
    """The updates of `symbol`'s book do not fit together; `reason` says how."""

    def __init__(self, symbol: str, reason: str) -> None:
        super().__init__(f"{symbol}: {reason}")
        self.symbol = symbol
        self.reason = reason
