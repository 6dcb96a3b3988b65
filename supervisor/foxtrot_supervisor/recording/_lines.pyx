# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Compiled way from a frames ring to JSON lines: what `FramesReader.next` and `lines.received_lines` do, for records of
received text. Records of any other kind, lost or damaged ones, and text with rare control characters are left to them.

Runs without the interpreter's lock. The writer of the ring may overwrite what is read here at any time, so every
number is read once and checked before it is used; what was overtaken is read, and not taken.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy

from foxtrot_protocol import frames_layout

cdef extern from *:
    """
    #define FOXTROT_LOAD(place) __atomic_load_n((place), __ATOMIC_ACQUIRE)
    #define FOXTROT_FENCE() __atomic_thread_fence(__ATOMIC_ACQUIRE)
    """
    const unsigned int FOXTROT_SOURCE_CRC
    uint64_t FOXTROT_LOAD(const uint64_t *) nogil
    void FOXTROT_FENCE() nogil

SOURCE_CRC = FOXTROT_SOURCE_CRC

cdef enum:
    HEADER_BYTES = 16384
    RESERVED = 256
    HEAD = 264
    MARGIN = 4096
    ALIGN = 8
    PREFIX_MAX = 64  # bytes of a line before its text
    SUFFIX = 3  # and after it
    SLACK = 16  # bytes behind the last line that may be overwritten

cdef struct Record:
    # as frames_layout packs it
    uint8_t[4] magic
    uint32_t size
    uint64_t position
    uint64_t frames_before
    int64_t time_ns
    uint32_t kind
    uint32_t parts
    uint32_t frames
    uint32_t status

cdef struct Taken:
    uint64_t position
    uint64_t frames
    Py_ssize_t used
    Py_ssize_t lines
    int64_t first_ns
    int64_t last_ns
    int64_t latest_ns

if (frames_layout.HEADER_BYTES, frames_layout.LAP_MARGIN_BYTES, frames_layout.RECORD_BYTES) != (
    HEADER_BYTES,
    MARGIN,
    sizeof(Record),
) or (frames_layout.FramesWord.RESERVED, frames_layout.FramesWord.HEAD) != (RESERVED, HEAD):
    raise ImportError("frames rings have another layout")

cdef const uint8_t *WRAP = b"FrmWrap\0"
if frames_layout.wrap_marker() != WRAP[:8]:
    raise ImportError("frames rings have another layout")

cdef uint8_t[256] ESCAPED  # 1: a backslash before it
cdef uint8_t[32] LETTERS  # of control characters; 0: left to the general way
for _code in range(256):
    ESCAPED[_code] = _code in b'"\\'
for _code in range(32):
    LETTERS[_code] = 0
for _code, _letter in zip(b"\b\t\n\f\r", b"btnfr"):
    LETTERS[_code] = _letter


cdef inline int sequence_length(const uint8_t *text, Py_ssize_t size, uint8_t *copied) noexcept nogil:
    """Copy the character of several bytes that `text` begins with; return its length, 0 if it is not UTF-8."""
    cdef uint8_t low = 0x80, high = 0xBF
    cdef int length, place
    copied[0] = text[0]
    if 0xC2 <= copied[0] <= 0xDF:
        length = 2
    elif 0xE0 <= copied[0] <= 0xEF:
        length = 3
        if copied[0] == 0xE0:
            low = 0xA0  # no longer than needed
        elif copied[0] == 0xED:
            high = 0x9F  # no surrogates
    elif 0xF0 <= copied[0] <= 0xF4:
        length = 4
        if copied[0] == 0xF0:
            low = 0x90
        elif copied[0] == 0xF4:
            high = 0x8F
    else:
        return 0
    if size < length:
        return 0
    for place in range(1, length):
        copied[place] = text[place]
        if not low <= copied[place] <= high:
            return 0
        low, high = 0x80, 0xBF
    return length


cdef uint8_t *put_text(uint8_t *out, const uint8_t *text, Py_ssize_t size) noexcept nogil:
    """Write `text` as the inside of a JSON string; return the place behind it, NULL where the general way must do it.

    Writes at most twice its size and `SLACK`.
    """
    cdef const uint8_t *end = text + size
    cdef uint64_t word
    cdef uint8_t byte
    cdef uint8_t *bytes = <uint8_t *> &word
    cdef int length, place
    while text < end:
        if end - text >= 8:
            memcpy(&word, text, 8)
            if not (((word - <uint64_t> 0x2020202020202020) | word) & <uint64_t> 0x8080808080808080):
                # ASCII without control characters; without branches, since nearly every word has a quotation mark
                for place in range(8):
                    byte = bytes[place]
                    out[0] = c'\\'
                    out += ESCAPED[byte]
                    out[0] = byte
                    out += 1
                text += 8
                continue
        byte = text[0]
        if byte >= 0x80:
            length = sequence_length(text, end - text, bytes)
            if not length:
                return NULL
            memcpy(out, bytes, 4)
            out += length
            text += length
            continue
        if byte < 0x20:
            out[0] = c'\\'
            out[1] = LETTERS[byte]
            if not out[1]:
                return NULL
            out += 2
        else:
            out[0] = c'\\'
            out += ESCAPED[byte]
            out[0] = byte
            out += 1
        text += 1
    return out


cdef bint take_record(
    const uint8_t *ring, Py_ssize_t capacity, uint8_t *out, Py_ssize_t out_size, Taken *taken
) noexcept nogil:
    """Take one record; False: none was taken, and `taken` is as before."""
    cdef const uint64_t *words = <const uint64_t *> ring
    cdef const uint8_t *record
    cdef const uint8_t *text
    cdef uint8_t *at
    cdef Record header
    cdef uint64_t position = taken.position, head = FOXTROT_LOAD(words + HEAD), reserved = FOXTROT_LOAD(words + RESERVED)
    cdef Py_ssize_t rest, room, part, left
    cdef uint32_t length
    cdef int prefix
    cdef char[PREFIX_MAX] line
    if reserved < head:
        head = reserved  # damaged
    if position >= head or reserved - position > <uint64_t> (capacity - MARGIN):
        return False
    rest = capacity - <Py_ssize_t> (position % <uint64_t> capacity)
    record = ring + HEADER_BYTES + (capacity - rest)
    if rest < <Py_ssize_t> sizeof(Record) or memcmp(record, WRAP, 8) == 0:
        position += rest
        record = ring + HEADER_BYTES
        rest = capacity
        if position >= head:
            return False
    memcpy(&header, record, sizeof(Record))
    room = rest if head - position > <uint64_t> rest else <Py_ssize_t> (head - position)
    if (
        memcmp(header.magic, "FrmR", 4) != 0
        or header.position != position
        or header.frames_before != taken.frames
        or header.kind != 0
        or not header.parts
        or header.frames != header.parts
        or header.size > room
        or header.size % ALIGN
        or header.size < sizeof(Record) + 4 * <uint64_t> header.parts
    ):
        return False
    left = header.size - sizeof(Record) - 4 * <Py_ssize_t> header.parts
    if out_size - taken.used < 2 * left + <Py_ssize_t> header.parts * (PREFIX_MAX + SUFFIX) + SLACK:
        return False
    prefix = snprintf(line, PREFIX_MAX, b'{"t":%lld,"dir":"in","raw":"', <long long> header.time_ns)
    at = out + taken.used
    text = record + sizeof(Record) + 4 * header.parts
    for part in range(header.parts):
        memcpy(&length, record + sizeof(Record) + 4 * part, 4)
        if length > left:
            return False
        memcpy(at, line, prefix)
        at = put_text(at + prefix, text, length)
        if at == NULL:
            return False
        memcpy(at, b'"}\n', SUFFIX)
        at += SUFFIX
        text += length
        left -= length
    if left >= ALIGN:
        return False  # the lengths do not fit
    FOXTROT_FENCE()
    if <int64_t> (FOXTROT_LOAD(words + RESERVED) - position) > <int64_t> (capacity - MARGIN):
        return False  # overtaken
    taken.used = at - out
    taken.position = position + header.size
    taken.frames = header.frames_before + header.parts
    taken.lines += header.parts
    if header.time_ns < taken.first_ns:
        taken.first_ns = header.time_ns
    if header.time_ns > taken.last_ns:
        taken.last_ns = header.time_ns
    taken.latest_ns = header.time_ns
    return True


def take_lines(
    ring, uint64_t position, uint64_t frames, Py_ssize_t capacity, out, Py_ssize_t used, Py_ssize_t bytes_max
):
    """Write the lines of the records at `position` and after it, until there are none that this can take.

    Args:
        ring: the mapped file.
        position: of the next record.
        frames: `frames_before` that it must have: no frame is missing before it.
        capacity: of the ring.
        out: where lines are written.
        used: bytes of it that are used.
        bytes_max: bytes used at which no further record is begun.

    Returns:
        Position, frames and bytes used behind what was taken; number of lines; lowest, highest and latest of their
        times, ns since 1970. All of the times are 0 without lines.
    """
    cdef Py_buffer source, target
    cdef Taken taken
    taken.position = position
    taken.frames = frames
    taken.used = used
    taken.lines = 0
    taken.first_ns = 0x7FFFFFFFFFFFFFFF
    taken.last_ns = -0x7FFFFFFFFFFFFFFF
    taken.latest_ns = 0
    PyObject_GetBuffer(ring, &source, PyBUF_SIMPLE)
    try:
        PyObject_GetBuffer(out, &target, PyBUF_SIMPLE | PyBUF_WRITABLE)
        try:
            if capacity < 2 * MARGIN or source.len < HEADER_BYTES + capacity or not 0 <= used <= target.len:
                raise ValueError("a frames ring is larger than its file")
            with nogil:
                while taken.used < bytes_max and take_record(
                    <const uint8_t *> source.buf, capacity, <uint8_t *> target.buf, target.len, &taken
                ):
                    pass
        finally:
            PyBuffer_Release(&target)
    finally:
        PyBuffer_Release(&source)
    if not taken.lines:
        return taken.position, taken.frames, taken.used, 0, 0, 0, 0
    return (
        taken.position,
        taken.frames,
        taken.used,
        taken.lines,
        taken.first_ns,
        taken.last_ns,
        taken.latest_ns,
    )
