"""Makes the PNG of a screenshot small: at most 256 colours, as a palette. Standard library only.

A screenshot has few surfaces and many shades where letters meet them; the rare shades become the nearest common ones.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

__all__ = ["small_png"]

COLOURS_MAX = 256
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 6: 4}
_KEPT_BITS = 0xFC
"""Of each channel: shades that nobody tells apart are one."""


def small_png(png: bytes) -> bytes:
    """Return the picture with at most `COLOURS_MAX` colours; raises ValueError unless it is 8-bit RGB or RGBA."""
    parts = list(_chunks(png))
    width, height, depth, kind, *_, interlace = struct.unpack(">IIBBBBB", parts[0][1])
    if depth != 8 or kind not in _CHANNELS or interlace:
        raise ValueError("not a picture of 8-bit RGB or RGBA")
    size = _CHANNELS[kind]
    rows = list(_rows(zlib.decompress(b"".join(data for name, data in parts if name == b"IDAT")), width, size))
    pixels = [[bytes(row[at : at + 3]) for at in range(0, width * size, size)] for row in rows]
    counts = Counter(colour for row in pixels for colour in row)
    merged: Counter[bytes] = Counter()
    common: dict[bytes, bytes] = {}
    for colour, count in counts.most_common():
        merged[common.setdefault(bytes(value & _KEPT_BITS for value in colour), colour)] += count
    palette = [colour for colour, _ in merged.most_common(COLOURS_MAX)]
    place = {colour: _nearest(colour, palette) for colour in counts}
    body = b"".join(b"\0" + bytes(place[colour] for colour in row) for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(body, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def _nearest(colour: bytes, palette: list[bytes]) -> int:
    return min(range(len(palette)), key=lambda at: sum((a - b) ** 2 for a, b in zip(colour, palette[at], strict=True)))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _rows(data: bytes, width: int, size: int) -> Iterator[bytearray]:
    """Yield the rows without their filters (PNG specification, section 9)."""
    stride = width * size
    before = bytearray(stride)
    for start in range(0, len(data), stride + 1):
        kind, row = data[start], bytearray(data[start + 1 : start + 1 + stride])
        for at in range(stride):
            left = row[at - size] if at >= size else 0
            up = before[at]
            if kind == 1:
                row[at] = (row[at] + left) & 255
            elif kind == 2:
                row[at] = (row[at] + up) & 255
            elif kind == 3:
                row[at] = (row[at] + (left + up) // 2) & 255
            elif kind == 4:
                corner = before[at - size] if at >= size else 0
                row[at] = (row[at] + _paeth(left, up, corner)) & 255
        yield row
        before = row


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    distances = (abs(estimate - left), abs(estimate - up), abs(estimate - corner))
    return (left, up, corner)[distances.index(min(distances))]
