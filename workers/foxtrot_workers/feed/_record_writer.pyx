# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Compiled form of `record_writer.PureRecordWriter`: each frame is copied once, from its object into the ring."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from foxtrot_protocol import frames_layout

cdef extern from *:
    """
    #define FOXTROT_STORE(place, value) __atomic_store_n((place), (value), __ATOMIC_RELEASE)
    #define FOXTROT_FENCE() __atomic_thread_fence(__ATOMIC_RELEASE)
    """
    const unsigned int FOXTROT_SOURCE_CRC
    void FOXTROT_STORE(uint64_t *, uint64_t)
    void FOXTROT_FENCE()

SOURCE_CRC = FOXTROT_SOURCE_CRC

cdef enum:
    HEADER_BYTES = 16384
    RESERVED = 256
    HEAD = 264
    FRAMES = 272
    ALIGN = 8

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

cdef const uint8_t *WRAP = b"FrmWrap\0"

if (
    (frames_layout.HEADER_BYTES, frames_layout.RECORD_BYTES, frames_layout.wrap_marker())
    != (HEADER_BYTES, sizeof(Record), WRAP[:8])
    or (frames_layout.FramesWord.RESERVED, frames_layout.FramesWord.HEAD, frames_layout.FramesWord.FRAMES)
    != (RESERVED, HEAD, FRAMES)
):
    raise ImportError("frames rings have another layout")


cdef class RecordWriter:
    """Writes records; arguments and methods are those of the pure form."""

    cdef Py_buffer _buffer
    cdef uint8_t *_ring
    cdef uint64_t _capacity, _head, _frames
    cdef Py_ssize_t _record_bytes_max

    def __cinit__(self, mapped, uint64_t capacity):
        PyObject_GetBuffer(mapped, &self._buffer, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self._ring = <uint8_t *> self._buffer.buf
        if <uint64_t> self._buffer.len < HEADER_BYTES + capacity or not capacity:
            self.close()
            raise ValueError("a frames ring is larger than its file")
        self._capacity = capacity
        self._record_bytes_max = frames_layout.record_bytes_max(capacity)

    def __dealloc__(self):
        self.close()

    cpdef close(self):
        if self._ring != NULL:
            self._ring = NULL
            PyBuffer_Release(&self._buffer)

    def write(self, uint32_t kind, list parts, uint32_t frames, int64_t time_ns, uint32_t status=0):
        cdef Py_ssize_t count = len(parts), place, size = sizeof(Record) + 4 * count
        cdef uint64_t rest, start, end
        cdef uint64_t *words = <uint64_t *> self._ring
        cdef uint8_t *at
        cdef uint8_t *lengths
        cdef uint32_t length
        cdef Record record
        if self._ring == NULL:
            raise ValueError("the frames ring is closed")
        for place in range(count):
            if not PyBytes_CheckExact(parts[place]):
                return self.write(kind, [bytes(part) for part in parts], frames, time_ns, status)
            size += PyBytes_GET_SIZE(parts[place])
        size = (size + ALIGN - 1) & -ALIGN
        if size > self._record_bytes_max:
            return False
        rest = self._capacity - self._head % self._capacity
        start = self._head if <uint64_t> size <= rest else self._head + rest
        end = start + size
        # before anything is overwritten: a reader compares it after it has copied
        FOXTROT_STORE(words + RESERVED, end)
        FOXTROT_FENCE()
        if start != self._head and rest >= sizeof(Record):
            memcpy(self._ring + HEADER_BYTES + self._head % self._capacity, WRAP, 8)
        memcpy(record.magic, "FrmR", 4)
        record.size = size
        record.position = start
        record.frames_before = self._frames
        record.time_ns = time_ns
        record.kind = kind
        record.parts = count
        record.frames = frames
        record.status = status
        at = self._ring + HEADER_BYTES + start % self._capacity
        memcpy(at, &record, sizeof(Record))
        lengths = at + sizeof(Record)
        at = lengths + 4 * count
        for place in range(count):
            length = PyBytes_GET_SIZE(parts[place])
            memcpy(lengths + 4 * place, &length, 4)
            memcpy(at, PyBytes_AS_STRING(parts[place]), length)
            at += length
        self._frames += frames
        FOXTROT_STORE(words + FRAMES, self._frames)
        self._head = end
        FOXTROT_STORE(words + HEAD, end)  # commits the record
        return True
