# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Compiled form of `decode.BatchReader`: trades, quotes and updates of books are read without the general decoder.

It reads what a worker of this version writes, and nothing else: for other events it asks the general decoder, event by
event, and at anything unexpected it returns None, so that the general decoder decides what is wrong. Events of one
stream share the objects of its names, so that later look-ups compare addresses.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.list cimport PyList_New
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from decimal import Decimal

import msgspec


from foxtrot_protocol.codec import BATCH_BYTES_MAX
from foxtrot_protocol.events import BookDelta, MarketEvent, Quote, Trade
from foxtrot_protocol.framing import Batch
from foxtrot_protocol.stream_ranges import StreamRange

cdef extern from *:
    """
    #include <structmember.h>

    #define FOXTROT_PUT(object, offset, value) (*(PyObject **)((char *)(object) + (offset)) = (PyObject *)(value))
    #define FOXTROT_NEW(type) (((PyTypeObject *)(type))->tp_alloc((PyTypeObject *)(type), 0))

    /* Place of a field in the objects of `type`; -1 with an exception. */
    static Py_ssize_t foxtrot_slot(PyObject *type, PyObject *name) {
        Py_ssize_t offset = -1;
        PyObject *found = PyObject_GetAttr(type, name);
        if (found == NULL) return -1;
        if (Py_TYPE(found) == &PyMemberDescr_Type) {
            offset = ((PyMemberDescrObject *)found)->d_member->offset;
        } else {
            PyErr_SetString(PyExc_ImportError, "a field is not a slot");
        }
        Py_DECREF(found);
        return offset;
    }

    static PyObject *foxtrot_ascii(const char *text, Py_ssize_t length) {
        PyObject *made = PyUnicode_New(length, 127);
        if (made != NULL) memcpy(PyUnicode_1BYTE_DATA(made), text, (size_t)length);
        return made;
    }
    """
    const unsigned int FOXTROT_SOURCE_CRC
    void FOXTROT_PUT(PyObject *, Py_ssize_t, PyObject *)
    PyObject *FOXTROT_NEW(object)
    Py_ssize_t foxtrot_slot(object, object) except -1
    PyObject *foxtrot_ascii(const char *, Py_ssize_t)

cdef extern from "Python.h":
    void Py_INCREF(PyObject *)
    void Py_DECREF(PyObject *)
    void Py_XDECREF(PyObject *)
    PyObject *PyLong_FromUnsignedLongLong(unsigned long long)
    PyObject *PyFloat_FromDouble(double)
    PyObject *PyTuple_New(Py_ssize_t)
    void PyTuple_SET_ITEM(PyObject *, Py_ssize_t, PyObject *)
    PyObject *raw_list "PyList_New"(Py_ssize_t)
    void raw_set_item "PyList_SET_ITEM"(PyObject *, Py_ssize_t, PyObject *)
    PyObject *PyObject_CallOneArg(PyObject *, PyObject *)
    double PyOS_string_to_double(const char *, char **, PyObject *)
    void PyErr_Clear()
    PyObject *Py_None
    PyObject *Py_False
    PyObject *Py_True

SOURCE_CRC = FOXTROT_SOURCE_CRC

cdef enum:
    FIELDS = 12  # of a trade, a quote and an update of a book; the tag comes before them
    STREAMS = 4096  # names that are remembered; a power of two
    STREAMS_USED_MAX = 3072  # then all are forgotten
    NAME_BYTES_MAX = 64
    NUMBER_BYTES_MAX = 40
    DIGITS_EXACT = 15  # decimal digits that a double holds exactly

cdef enum Kind:
    TRADE = 1
    QUOTE = 2
    DELTA = 3

cdef Py_ssize_t SLOTS[4][FIELDS]
for _kind, _type in ((TRADE, Trade), (QUOTE, Quote), (DELTA, BookDelta)):
    if len(_type.__struct_fields__) != FIELDS or _type.__basicsize__ != object.__basicsize__ + 8 * FIELDS:
        raise ImportError(f"{_type} has another layout")
    for _place, _name in enumerate(_type.__struct_fields__):
        SLOTS[_kind][_place] = foxtrot_slot(_type, _name)

cdef object TRADE_TYPE = Trade
cdef object QUOTE_TYPE = Quote
cdef object DELTA_TYPE = BookDelta
cdef object BUY = "buy"
cdef object SELL = "sell"
cdef double[23] POWERS
for _place in range(23):
    POWERS[_place] = 10.0**_place

cdef struct Text:
    const char *at
    Py_ssize_t size

cdef struct Stream:
    # the names of a stream
    PyObject *exchange
    PyObject *symbol
    Py_ssize_t exchange_size
    Py_ssize_t symbol_size
    char[NAME_BYTES_MAX] names  # exchange, then symbol


# ---- msgpack; each function returns the place behind what it has read, NULL if that is not there

cdef inline const uint8_t *read_uint(const uint8_t *at, const uint8_t *end, uint64_t *value) noexcept nogil:
    cdef int size, place
    if at >= end:
        return NULL
    if at[0] < 0x80:
        value[0] = at[0]
        return at + 1
    if not 0xCC <= at[0] <= 0xCF:
        return NULL
    size = 1 << (at[0] - 0xCC)
    at += 1
    if end - at < size:
        return NULL
    value[0] = 0
    for place in range(size):
        value[0] = value[0] << 8 | at[place]
    return at + size


cdef inline const uint8_t *read_text(const uint8_t *at, const uint8_t *end, Text *text) noexcept nogil:
    cdef Py_ssize_t size
    if at >= end:
        return NULL
    if at[0] & 0xE0 == 0xA0:
        size = at[0] & 0x1F
        at += 1
    elif at[0] == 0xD9 and end - at >= 2:
        size = at[1]
        at += 2
    else:
        return NULL
    if end - at < size:
        return NULL
    text.at = <const char *>at
    text.size = size
    return at + size


cdef inline const uint8_t *read_array(const uint8_t *at, const uint8_t *end, Py_ssize_t *count) noexcept nogil:
    if at >= end:
        return NULL
    if at[0] & 0xF0 == 0x90:
        count[0] = at[0] & 0x0F
        return at + 1
    if at[0] == 0xDC and end - at >= 3:
        count[0] = at[1] << 8 | at[2]
        return at + 3
    if at[0] == 0xDD and end - at >= 5:
        count[0] = (<Py_ssize_t>at[1]) << 24 | at[2] << 16 | at[3] << 8 | at[4]
        return at + 5
    return NULL


cdef const uint8_t *skip(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """The place behind one value, of any kind but ext; nesting is counted, not followed."""
    cdef uint64_t left = 1, size
    cdef uint8_t head
    cdef int width
    while left:
        if at >= end:
            return NULL
        head = at[0]
        at += 1
        left -= 1
        size = 0
        if head < 0x80 or head >= 0xE0 or head == 0xC0 or head == 0xC2 or head == 0xC3:
            continue
        if head < 0x90:
            left += 2 * (head & 0x0F)
        elif head < 0xA0:
            left += head & 0x0F
        elif head < 0xC0:
            size = head & 0x1F
        elif head == 0xCA or head == 0xCE or head == 0xD2:
            size = 4
        elif head == 0xCB or head == 0xCF or head == 0xD3:
            size = 8
        elif head == 0xCC or head == 0xD0:
            size = 1
        elif head == 0xCD or head == 0xD1:
            size = 2
        elif 0xC4 <= head <= 0xC6 or 0xD9 <= head <= 0xDB or 0xDC <= head <= 0xDF:
            if head >= 0xDC:
                width = 2 << (head & 1)
            else:
                width = 1 << (head - 0xC4 if head < 0xC7 else head - 0xD9)
            if end - at < width:
                return NULL
            for _ in range(width):
                size = size << 8 | at[0]
                at += 1
            if head >= 0xDC:
                left += size if head <= 0xDD else 2 * size
                size = 0
        else:
            return NULL
        if <uint64_t>(end - at) < size or left > <uint64_t>(end - at) + 1:
            return NULL
        at += size
    return at


cdef inline bint is_text(const Text *text, const char *what, Py_ssize_t size) noexcept nogil:
    return text.size == size and memcmp(text.at, what, size) == 0


cdef inline bint is_ascii(const Text *text) noexcept nogil:
    cdef Py_ssize_t place
    cdef uint8_t bits = 0
    for place in range(text.size):
        bits |= <uint8_t>text.at[place]
    return bits < 0x80


cdef class Decoder:
    """Reads batches with one type of numbers: "float", "decimal" or "text"."""

    cdef int numbers  # 0 float, 1 decimal, 2 text
    cdef PyObject *decimal
    cdef Stream *streams
    cdef int used
    cdef object single
    cdef object described
    cdef PyObject *publish
    cdef PyObject *exchange_time
    cdef PyObject *receive_time
    cdef uint64_t exchange_ns
    cdef uint64_t receive_ns

    def __cinit__(self, numbers):
        self.numbers = ("float", "decimal", "text").index(numbers)
        self.decimal = <PyObject *>Decimal
        self.streams = <Stream *>PyMem_Calloc(STREAMS, sizeof(Stream))
        if self.streams == NULL:
            raise MemoryError
        kinds = (MarketEvent[float], MarketEvent[Decimal], MarketEvent[str])
        self.single = msgspec.msgpack.Decoder(kinds[self.numbers], strict=self.numbers != 0).decode
        self.described = msgspec.msgpack.Decoder(tuple[list[StreamRange] | None, bytes | None]).decode
        self.exchange_time = PyLong_FromUnsignedLongLong(0)
        self.receive_time = PyLong_FromUnsignedLongLong(0)

    def __dealloc__(self):
        if self.streams != NULL:
            self.forget_streams()
            PyMem_Free(self.streams)
        Py_XDECREF(self.exchange_time)
        Py_XDECREF(self.receive_time)

    def decode(self, bytes data not None):
        """Return the batch in `data`, its events stamped with its `publish_ns`; None: ask the general decoder."""
        cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef const uint8_t *end = at + PyBytes_GET_SIZE(data)
        cdef const uint8_t *begin
        cdef Py_ssize_t elements, count, place
        cdef uint64_t version, incarnation, sequence, publish_ns
        cdef Text worker
        cdef list events
        cdef PyObject *event
        if PyBytes_GET_SIZE(data) > BATCH_BYTES_MAX:
            return None
        at = read_array(at, end, &elements)
        if at == NULL or not 6 <= elements <= 8:
            return None
        at = read_uint(at, end, &version)
        if at == NULL or not 1 <= version <= 2:
            return None
        at = read_text(at, end, &worker)
        if at == NULL or not is_ascii(&worker):
            return None
        at = read_uint(at, end, &incarnation)
        if at == NULL:
            return None
        at = read_uint(at, end, &sequence)
        if at == NULL:
            return None
        at = read_uint(at, end, &publish_ns)
        if at == NULL:
            return None
        at = read_array(at, end, &count)
        if at == NULL or count > end - at:
            return None
        publish = <object>publish_ns
        self.publish = <PyObject *>publish
        if self.used > STREAMS_USED_MAX:
            self.forget_streams()
        events = PyList_New(count)
        for place in range(count):
            begin = at
            event = self.read_event(&at, end)
            if event == NULL:
                # another kind of event, or something that is wrong with it
                at = skip(begin, end)
                if at == NULL:
                    return None
                try:
                    single = self.single((<const char *>begin)[: at - begin])
                except Exception:
                    return None
                msgspec.structs.force_setattr(single, "publish_ns", publish)
                Py_INCREF(<PyObject *>single)
                event = <PyObject *>single
            raw_set_item(<PyObject *>events, place, event)
        streams = order = None
        if elements > 6:
            begin = at
            for place in range(6, elements):
                at = skip(at, end)
                if at == NULL:
                    return None
            if at != end:
                return None
            head = bytes([0x90 | (elements - 6)]) + (<const char *>begin)[: end - begin]
            if elements == 7:
                head = b"\x92" + head[1:] + b"\xc0"
            try:
                streams, order = self.described(head)
            except Exception:
                return None
        elif at != end:
            return None
        return Batch(
            version,
            (<const char *>worker.at)[: worker.size].decode("ascii"),
            incarnation,
            sequence,
            publish,
            events,
            streams,
            order,
        )

    cdef void forget_streams(self) noexcept:
        cdef int place
        for place in range(STREAMS):
            Py_XDECREF(self.streams[place].exchange)
            Py_XDECREF(self.streams[place].symbol)
        memset(self.streams, 0, STREAMS * sizeof(Stream))
        self.used = 0

    cdef Stream *stream_of(self, const Text *exchange, const Text *symbol) noexcept:
        """The stream with these names; NULL if they are unusual."""
        cdef uint32_t hashed = 2166136261
        cdef Py_ssize_t place
        cdef Stream *stream
        if exchange.size + symbol.size > NAME_BYTES_MAX:
            return NULL
        for place in range(symbol.size):
            hashed = (hashed ^ <uint8_t>symbol.at[place]) * 16777619
        hashed ^= hashed >> 15
        while True:
            stream = &self.streams[hashed & (STREAMS - 1)]
            if stream.symbol == NULL:
                break
            if (
                stream.symbol_size == symbol.size
                and stream.exchange_size == exchange.size
                and memcmp(stream.names, exchange.at, exchange.size) == 0
                and memcmp(stream.names + exchange.size, symbol.at, symbol.size) == 0
            ):
                return stream
            hashed += 1
        if self.used >= STREAMS - 1 or not is_ascii(exchange) or not is_ascii(symbol):
            return NULL
        stream.exchange = foxtrot_ascii(exchange.at, exchange.size)
        stream.symbol = foxtrot_ascii(symbol.at, symbol.size)
        if stream.exchange == NULL or stream.symbol == NULL:
            Py_XDECREF(stream.exchange)
            Py_XDECREF(stream.symbol)
            stream.exchange = stream.symbol = NULL
            PyErr_Clear()
            return NULL
        stream.exchange_size, stream.symbol_size = exchange.size, symbol.size
        memcpy(stream.names, exchange.at, exchange.size)
        memcpy(stream.names + exchange.size, symbol.at, symbol.size)
        self.used += 1
        return stream

    cdef PyObject *read_event(self, const uint8_t **place, const uint8_t *end) noexcept:
        """Read the event at `place`, and move that behind it; NULL, without an exception: not read."""
        cdef const uint8_t *at = place[0]
        cdef PyObject *event
        cdef PyObject *values[FIELDS]
        cdef Py_ssize_t count
        cdef Text tag, exchange, symbol, text
        cdef uint64_t exchange_ns, receive_ns, number
        cdef Stream *stream
        cdef uint8_t kind
        cdef int field
        at = read_array(at, end, &count)
        if at == NULL or count != FIELDS + 1:
            return NULL
        at = read_text(at, end, &tag)
        if at == NULL:
            return NULL
        if is_text(&tag, "trade", 5):
            kind = TRADE
        elif is_text(&tag, "quote", 5):
            kind = QUOTE
        elif is_text(&tag, "delta", 5):
            kind = DELTA
        else:
            return NULL
        at = read_text(at, end, &exchange)
        if at == NULL:
            return NULL
        at = read_text(at, end, &symbol)
        if at == NULL:
            return NULL
        at = read_uint(at, end, &exchange_ns)
        if at == NULL:
            return NULL
        at = read_uint(at, end, &receive_ns)
        if at == NULL:
            return NULL
        stream = self.stream_of(&exchange, &symbol)
        if stream == NULL or not self.time_objects(exchange_ns, receive_ns):
            return NULL
        memset(values, 0, sizeof(values))
        if kind == TRADE:
            at = self.read_number(at, end, &values[4])
            if at != NULL:
                at = self.read_number(at, end, &values[5])
            if at != NULL:
                at = read_text(at, end, &text)
            if at != NULL:
                if is_text(&text, "buy", 3):
                    values[6] = <PyObject *>BUY
                    Py_INCREF(values[6])
                elif is_text(&text, "sell", 4):
                    values[6] = <PyObject *>SELL
                    Py_INCREF(values[6])
                else:
                    at = NULL
            if at != NULL:
                at = self.read_name(at, end, &values[7], False)
        elif kind == QUOTE:
            for field in range(4, 8):
                if at != NULL:
                    if at < end and at[0] == 0xC0:
                        at += 1
                        values[field] = Py_None
                        Py_INCREF(Py_None)
                    else:
                        at = self.read_number(at, end, &values[field])
            if at != NULL:
                at = self.read_name(at, end, &values[8], False)
        else:
            at = self.read_levels(at, end, &values[4])
            if at != NULL:
                at = self.read_levels(at, end, &values[5])
            if at != NULL:
                at = self.read_name(at, end, &values[6], True)
            if at != NULL:
                at = self.read_name(at, end, &values[7], True)
            if at != NULL:
                if at < end and at[0] == 0xC0:
                    at += 1
                    values[8] = Py_None
                    Py_INCREF(Py_None)
                else:
                    at = read_uint(at, end, &number)
                    if at != NULL:
                        values[8] = PyLong_FromUnsignedLongLong(number)
                        if values[8] == NULL:
                            PyErr_Clear()
                            at = NULL
        # publish_ns 0, redelivered and backfilled false, and the count of a trade: all else is rare
        field = 8 if kind == TRADE else 9
        if at != NULL and end - at >= 3 + (kind == TRADE) and at[0] == 0 and at[1] == 0xC2 and at[2] == 0xC2:
            at += 3
            values[field] = self.publish
            values[field + 1] = values[field + 2] = Py_False
            Py_INCREF(self.publish)
            Py_INCREF(Py_False)
            Py_INCREF(Py_False)
            if kind == TRADE:
                at = read_uint(at, end, &number)
                if at != NULL and number < 256:
                    values[11] = PyLong_FromUnsignedLongLong(number)
                else:
                    at = NULL
        else:
            at = NULL
        event = NULL
        if at != NULL:
            event = FOXTROT_NEW(TRADE_TYPE if kind == TRADE else QUOTE_TYPE if kind == QUOTE else DELTA_TYPE)
            if event == NULL:
                PyErr_Clear()
        if event == NULL:
            for field in range(4, FIELDS):
                Py_XDECREF(values[field])
            return NULL
        values[0], values[1] = stream.exchange, stream.symbol
        values[2], values[3] = self.exchange_time, self.receive_time
        for field in range(4):
            Py_INCREF(values[field])
        for field in range(FIELDS):
            FOXTROT_PUT(event, SLOTS[kind][field], values[field])
        place[0] = at
        return event

    cdef inline bint time_objects(self, uint64_t exchange_ns, uint64_t receive_ns) noexcept:
        """Make the objects of both times, where they are not those of the event before."""
        cdef PyObject *made
        if exchange_ns != self.exchange_ns:
            made = PyLong_FromUnsignedLongLong(exchange_ns)
            if made == NULL:
                PyErr_Clear()
                return False
            Py_DECREF(self.exchange_time)
            self.exchange_time, self.exchange_ns = made, exchange_ns
        if receive_ns != self.receive_ns:
            made = PyLong_FromUnsignedLongLong(receive_ns)
            if made == NULL:
                PyErr_Clear()
                return False
            Py_DECREF(self.receive_time)
            self.receive_time, self.receive_ns = made, receive_ns
        return True

    cdef inline const uint8_t *read_name(
        self, const uint8_t *at, const uint8_t *end, PyObject **value, bint may_be_nil
    ) noexcept:
        """An identifier as text, or nil."""
        cdef Text text
        if may_be_nil and at < end and at[0] == 0xC0:
            value[0] = Py_None
            Py_INCREF(Py_None)
            return at + 1
        at = read_text(at, end, &text)
        if at == NULL or not is_ascii(&text):
            return NULL
        value[0] = foxtrot_ascii(text.at, text.size)
        if value[0] == NULL:
            PyErr_Clear()
            return NULL
        return at

    cdef const uint8_t *read_levels(self, const uint8_t *at, const uint8_t *end, PyObject **value) noexcept:
        cdef Py_ssize_t count, pair, place
        cdef PyObject *levels
        cdef PyObject *level
        cdef PyObject *price
        cdef PyObject *size
        at = read_array(at, end, &count)
        if at == NULL or count > end - at:
            return NULL
        levels = raw_list(count)
        if levels == NULL:
            PyErr_Clear()
            return NULL
        for place in range(count):
            at = read_array(at, end, &pair)
            price = size = NULL
            if at != NULL and pair == 2:
                at = self.read_number(at, end, &price)
                if at != NULL:
                    at = self.read_number(at, end, &size)
            level = PyTuple_New(2) if at != NULL and size != NULL else NULL
            if level == NULL:
                PyErr_Clear()
                Py_XDECREF(price)
                Py_XDECREF(size)
                Py_DECREF(levels)
                return NULL
            PyTuple_SET_ITEM(level, 0, price)
            PyTuple_SET_ITEM(level, 1, size)
            raw_set_item(levels, place, level)
        value[0] = levels
        return at

    cdef inline const uint8_t *read_short(self, const Text *text, const uint8_t *behind, PyObject **value) noexcept:
        """As `read_number`, for the digits of a double: both its mantissa and the power of ten are exact."""
        cdef uint64_t mantissa = 0
        cdef Py_ssize_t place = 0, whole
        cdef uint8_t digit
        while place < text.size:
            digit = <uint8_t>text.at[place] - 48
            if digit > 9:
                break
            mantissa = mantissa * 10 + digit
            place += 1
        whole = place
        if place == 0 or (place > 1 and text.at[0] == 48):
            return NULL
        if place < text.size:
            if text.at[place] != 46 or place + 1 == text.size:
                return NULL
            place += 1
            while place < text.size:
                digit = <uint8_t>text.at[place] - 48
                if digit > 9:
                    return NULL
                mantissa = mantissa * 10 + digit
                place += 1
            value[0] = PyFloat_FromDouble(<double>mantissa / POWERS[text.size - whole - 1])
        else:
            value[0] = PyFloat_FromDouble(<double>mantissa)
        if value[0] == NULL:
            PyErr_Clear()
            return NULL
        return behind

    cdef const uint8_t *read_number(self, const uint8_t *at, const uint8_t *end, PyObject **value) noexcept:
        """A number in the form 0.5 or 12, of the type of this decoder; others are left to the general decoder."""
        cdef Text text
        cdef uint64_t mantissa = 0
        cdef Py_ssize_t place, digits = 0, behind = -1
        cdef uint8_t digit
        cdef char[NUMBER_BYTES_MAX + 1] copied
        cdef PyObject *whole
        at = read_text(at, end, &text)
        if at == NULL or not 0 < text.size <= NUMBER_BYTES_MAX:
            return NULL
        if self.numbers == 2:
            if not is_ascii(&text):
                return NULL
            value[0] = foxtrot_ascii(text.at, text.size)
            if value[0] == NULL:
                PyErr_Clear()
                return NULL
            return at
        if self.numbers == 0 and text.size <= DIGITS_EXACT:
            return self.read_short(&text, at, value)
        for place in range(text.size):
            digit = <uint8_t>text.at[place] - 48
            if digit <= 9:
                if behind >= 0:
                    behind += 1
                elif place == 1 and text.at[0] == 48:
                    return NULL  # a leading zero
                if mantissa or digit:
                    digits += 1
                    if digits <= DIGITS_EXACT:
                        mantissa = mantissa * 10 + digit
            elif text.at[place] == 46 and behind < 0 and place:
                behind = 0
            else:
                return NULL
        if behind == 0:
            return NULL  # nothing behind the point
        if self.numbers == 1:
            whole = foxtrot_ascii(text.at, text.size)
            value[0] = PyObject_CallOneArg(self.decimal, whole) if whole != NULL else NULL
            Py_XDECREF(whole)
        elif digits <= DIGITS_EXACT and behind <= 22:
            # both are exact, so the quotient is the nearest double
            value[0] = PyFloat_FromDouble(<double>mantissa / POWERS[behind if behind > 0 else 0])
        else:
            memcpy(copied, text.at, text.size)
            copied[text.size] = 0
            value[0] = PyFloat_FromDouble(PyOS_string_to_double(copied, NULL, NULL))
        if value[0] == NULL:
            PyErr_Clear()
            return NULL
        return at


cdef extern from "Python.h":
    void *PyMem_Calloc(size_t, size_t)
    void PyMem_Free(void *)
