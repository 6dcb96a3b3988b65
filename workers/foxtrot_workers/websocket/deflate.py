"""permessage-deflate (RFC 7692) for a client that only receives compressed messages, within a bound. Pure.

We send everything uncompressed, which the extension allows.
"""

from __future__ import annotations

import zlib

__all__ = ["OFFER", "DeflateError", "Inflater", "inflater_of"]

OFFER = "permessage-deflate; client_no_context_takeover"
"""Value of ``Sec-WebSocket-Extensions`` in the handshake's request."""

_TAIL = b"\x00\x00\xff\xff"
"""What the sender removes from the end of each message (section 7.2.1)."""

_WINDOW_BITS_MAX = 15
_PARAMETERS = frozenset({"server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits"})


class DeflateError(ValueError):
    """The exchange broke the extension; the connection must end."""


class Inflater:
    """Inflates the messages of one connection.

    Args:
        bytes_max: longest message in bytes; inflating stops there.
        takes_context_over: whether a message may refer to those before it.
        window_bits: of the exchange's window, 8 to 15.
    """

    def __init__(self, bytes_max: int, *, takes_context_over: bool = True, window_bits: int = _WINDOW_BITS_MAX) -> None:
        self._bytes_max = bytes_max
        self._takes_context_over = takes_context_over
        self._window_bits = window_bits
        self._stream = zlib.decompressobj(-window_bits)

    def inflate(self, payload: bytes) -> bytes:
        """Return the message of a compressed `payload`. Raises `DeflateError`."""
        stream = self._stream
        try:
            # one byte more than allowed tells a message of just the limit from a longer one
            message = stream.decompress(payload + _TAIL, self._bytes_max + 1)
        except zlib.error as error:
            raise DeflateError(f"a message that cannot be inflated: {error}") from None
        if stream.unconsumed_tail or len(message) > self._bytes_max:
            raise DeflateError(f"a message over {self._bytes_max} bytes")
        if stream.eof or not self._takes_context_over:  # a final block ends the stream, whatever was agreed
            self._stream = zlib.decompressobj(-self._window_bits)
        return message


def inflater_of(extensions: str | None, bytes_max: int) -> Inflater | None:
    """Return the inflater that the answer to the handshake asks for; None where it agrees to no compression.

    Args:
        extensions: value of ``Sec-WebSocket-Extensions`` in the answer; None without one.
        bytes_max: longest message in bytes.

    Raises:
        DeflateError: the answer has an extension or a parameter that was not offered.
    """
    if extensions is None or not extensions.strip():
        return None
    name, *parameters = (part.strip() for part in extensions.split(";"))
    if name != "permessage-deflate":
        raise DeflateError(f"an extension that was not offered: {extensions[:100]}")
    takes_context_over = True
    window_bits = _WINDOW_BITS_MAX
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "server_max_window_bits" and value.strip('"') in map(str, range(8, 16)):
            window_bits = int(value.strip('"'))
        elif key not in _PARAMETERS:
            raise DeflateError(f"a parameter that was not offered: {parameter[:100]}")
        takes_context_over = takes_context_over and key != "server_no_context_takeover"
    # zlib cannot inflate raw streams of 8 bits, but a larger window reads them too
    return Inflater(bytes_max, takes_context_over=takes_context_over, window_bits=max(window_bits, 9))
