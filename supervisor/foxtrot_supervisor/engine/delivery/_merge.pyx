# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Compiled form of what `merge` does with nearly all batches: events that continue their streams, and copies of a twin.

`admit` changes nothing before it has decided on the whole batch. Whatever needs a rule, or a stream that is not calm,
is left to the pure form, which decides on the batch from its beginning.
"""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from foxtrot_protocol.events import BookDelta, Quote, Trade
from foxtrot_supervisor.engine.delivery.rules.resets import RESET_MARGIN_NS
from foxtrot_supervisor.engine.delivery.rules.trades import note_fills
from foxtrot_supervisor.engine.delivery.streams import NUMBER_MAX, UNKNOWN, Stream

cdef extern from *:
    """
    #include <structmember.h>

    #define FOXTROT_KIND(object) ((PyObject *)Py_TYPE(object))
    #define FOXTROT_AT(object, offset) (*(PyObject **)((char *)(object) + (offset)))

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

    /* Replaces what a slot refers to by `value`. */
    static void foxtrot_put(PyObject *object, Py_ssize_t offset, PyObject *value) {
        PyObject *before = FOXTROT_AT(object, offset);
        Py_INCREF(value);
        FOXTROT_AT(object, offset) = value;
        Py_XDECREF(before);
    }

    /* An identifier of 1 to 18 ASCII digits as a number, else -1. */
    static int64_t foxtrot_identifier(PyObject *text) {
        int64_t number = 0;
        if (!PyUnicode_Check(text) || !PyUnicode_IS_COMPACT_ASCII(text)) return -1;
        Py_ssize_t size = PyUnicode_GET_LENGTH(text);
        const uint8_t *digits = (const uint8_t *)PyUnicode_1BYTE_DATA(text);
        if (size < 1 || size > 18) return -1;
        for (Py_ssize_t place = 0; place < size; place++) {
            uint8_t digit = (uint8_t)(digits[place] - 48);
            if (digit > 9) return -1;
            number = number * 10 + digit;
        }
        return number;
    }

    /* A number of a slot; -1 where it does not fit. */
    static int64_t foxtrot_number(PyObject *object) {
        int64_t number = PyLong_AsLongLong(object);
        if (number == -1 && PyErr_Occurred()) PyErr_Clear();
        return number;
    }
    """
    const unsigned int FOXTROT_SOURCE_CRC
    PyObject *FOXTROT_KIND(PyObject *)
    PyObject *FOXTROT_AT(PyObject *, Py_ssize_t)
    Py_ssize_t foxtrot_slot(object, object) except -1
    void foxtrot_put(PyObject *, Py_ssize_t, PyObject *)
    int64_t foxtrot_identifier(PyObject *)
    int64_t foxtrot_number(PyObject *)

cdef extern from "Python.h":
    PyObject *Py_True
    PyObject *Py_False

SOURCE_CRC = FOXTROT_SOURCE_CRC

cdef enum:
    STREAMS = 64  # of one batch, at most
    PLACES = 128  # of the table that finds them; a power of two

cdef enum Mode:
    DENSE = 1
    QUICK = 2
    PLAIN = 3

cdef int64_t MARGIN_NS = RESET_MARGIN_NS
cdef int64_t NUMBERS_END = NUMBER_MAX
cdef object NO_NUMBER = UNKNOWN

cdef PyObject *TRADE = <PyObject *>Trade
cdef PyObject *QUOTE = <PyObject *>Quote
cdef PyObject *DELTA = <PyObject *>BookDelta


cdef class _Slots:
    """Where the fields of an event are."""

    cdef Py_ssize_t symbol, exchange_ns, receive_ns, backfilled, first, last

    def __cinit__(self, kind, first, last):
        self.symbol = foxtrot_slot(kind, "symbol")
        self.exchange_ns = foxtrot_slot(kind, "exchange_ns")
        self.receive_ns = foxtrot_slot(kind, "receive_ns")
        self.backfilled = foxtrot_slot(kind, "backfilled")
        self.first = foxtrot_slot(kind, first)
        self.last = foxtrot_slot(kind, last)


cdef _Slots TRADE_SLOTS = _Slots(Trade, "trade_id", "trade_id")
cdef _Slots QUOTE_SLOTS = _Slots(Quote, "update_id", "update_id")
cdef _Slots DELTA_SLOTS = _Slots(BookDelta, "first_id", "last_id")

cdef Py_ssize_t BATCH = foxtrot_slot(Stream, "batch")
cdef Py_ssize_t CALM = foxtrot_slot(Stream, "calm")
cdef Py_ssize_t CALM_SEQUENCE = foxtrot_slot(Stream, "calm_sequence")
cdef Py_ssize_t CEILING_NS = foxtrot_slot(Stream, "ceiling_ns")
cdef Py_ssize_t COPIES = foxtrot_slot(Stream, "copies")
cdef Py_ssize_t DENSE_SLOT = foxtrot_slot(Stream, "dense")
cdef Py_ssize_t EXCHANGE_NS = foxtrot_slot(Stream, "exchange_ns")
cdef Py_ssize_t HEADS = foxtrot_slot(Stream, "heads")
cdef Py_ssize_t LAST = foxtrot_slot(Stream, "last")
cdef Py_ssize_t NEWEST = foxtrot_slot(Stream, "newest")
cdef Py_ssize_t OWN = foxtrot_slot(Stream, "own")
cdef Py_ssize_t PLAIN_SLOT = foxtrot_slot(Stream, "plain")
cdef Py_ssize_t QUICK_SLOT = foxtrot_slot(Stream, "quick")
cdef Py_ssize_t RECEIVE_NS = foxtrot_slot(Stream, "receive_ns")
cdef Py_ssize_t RISING = foxtrot_slot(Stream, "rising")
cdef Py_ssize_t RULE = foxtrot_slot(Stream, "rule")
cdef Py_ssize_t SEEN = foxtrot_slot(Stream, "seen")
cdef Py_ssize_t SEQUENCE = foxtrot_slot(Stream, "sequence")
cdef Py_ssize_t SIDE = foxtrot_slot(Stream, "side")
cdef Py_ssize_t STATE = foxtrot_slot(Stream, "state")
cdef Py_ssize_t STEP = foxtrot_slot(Stream, "step")
cdef Py_ssize_t WINDOW = foxtrot_slot(Stream, "window")

cdef struct Touched:
    # a stream of the batch; references are borrowed from the streams and from the events
    PyObject *stream
    PyObject *newest
    Mode mode
    bint copies
    int64_t last
    int64_t seen
    int64_t step
    int64_t exchange_ns
    int64_t floor_ns
    int64_t ceiling_ns

cdef struct Named:
    PyObject *kind
    PyObject *symbol
    int place


cdef inline bint is_true(PyObject *stream, Py_ssize_t slot) noexcept:
    return FOXTROT_AT(stream, slot) == Py_True


cdef bint prepare(Touched *touched, object stream, PyObject *kind, tuple side) except -1:
    """Begin the batch for `stream`; False: it is not calm, or `side` has brought nothing of it."""
    cdef PyObject *raw = <PyObject *>stream
    cdef PyObject *newest = FOXTROT_AT(raw, NEWEST)
    if is_true(raw, RISING) and newest != NULL and FOXTROT_KIND(newest) == TRADE:
        note_fills(stream)
    if (
        FOXTROT_AT(raw, CALM) != FOXTROT_AT(raw, STATE)
        or FOXTROT_AT(raw, CALM_SEQUENCE) != FOXTROT_AT(raw, SEQUENCE)
        or FOXTROT_AT(raw, WINDOW) != <PyObject *>None
    ):
        return False
    if FOXTROT_AT(raw, SIDE) == <PyObject *>side:
        touched.seen = foxtrot_number(FOXTROT_AT(raw, SEEN))
    elif side in stream.state.sides:
        touched.seen = (<dict>FOXTROT_AT(raw, OWN)).get(side[0], NO_NUMBER)
    else:
        return False
    if is_true(raw, DENSE_SLOT):
        touched.mode = DENSE
    elif is_true(raw, QUICK_SLOT):
        # the identifier of a quote, or of a trade
        if (kind == QUOTE) != ((<object>FOXTROT_AT(raw, RULE)) == "latest"):
            return False
        touched.mode = QUICK
    elif is_true(raw, PLAIN_SLOT) and kind == DELTA:
        touched.mode = PLAIN
        touched.step = foxtrot_number(FOXTROT_AT(raw, STEP))
    else:
        return False
    touched.stream = raw
    touched.newest = NULL
    touched.copies = is_true(raw, COPIES)
    touched.last = foxtrot_number(FOXTROT_AT(raw, LAST))
    touched.exchange_ns = foxtrot_number(FOXTROT_AT(raw, EXCHANGE_NS))
    touched.floor_ns = touched.exchange_ns - MARGIN_NS
    touched.ceiling_ns = touched.exchange_ns + MARGIN_NS if touched.exchange_ns else NUMBERS_END
    return touched.last >= 0 and touched.exchange_ns >= 0


cdef inline int decide(Touched *touched, PyObject *event, _Slots slots) noexcept:
    """1: apply, 0: a copy, -1: something else. The conditions are those of `merge.StreamMerge.admit`."""
    cdef int64_t number, first, at_ns
    if FOXTROT_AT(event, slots.backfilled) != Py_False:
        return -1
    number = foxtrot_identifier(FOXTROT_AT(event, slots.last))
    if number < 0:
        return -1
    at_ns = foxtrot_number(FOXTROT_AT(event, slots.exchange_ns))
    if at_ns < 0:
        return -1
    if touched.mode == DENSE:
        if number == touched.last + 1:
            touched.last = number
            touched.newest = event
            return 1
    elif touched.mode == QUICK:
        if touched.last < number:
            if at_ns and at_ns < touched.floor_ns:
                return -1
            touched.last = number
            touched.newest = event
            touched.floor_ns = (at_ns if at_ns else touched.exchange_ns) - MARGIN_NS
            return 1
    else:
        first = foxtrot_identifier(FOXTROT_AT(event, slots.first))
        if first < 0:
            return -1
        if first == touched.last + touched.step and touched.last < number:
            touched.last = number
            touched.newest = event
            return 1
    if (
        touched.copies
        and touched.newest == NULL
        and touched.seen <= number <= touched.last
        and at_ns <= touched.ceiling_ns
    ):
        touched.seen = number
        return 0
    return -1


def admit(streams, tuple side not None, events, batch):
    """Decide on a batch; return the streams it touches and, where there are copies, the places of the other events.

    None, with nothing changed: decide on each event in the pure form. `batch`: number of this batch.
    """
    cdef Touched touched[STREAMS]
    cdef Named known[PLACES]
    cdef Named *named
    cdef Touched *each
    cdef PyObject *event
    cdef PyObject *kind
    cdef PyObject *symbol
    cdef PyObject *looked_up
    cdef _Slots slots
    cdef Py_ssize_t place, count
    cdef int present = 0, verdict, found
    cdef list kept = None
    cdef list changed
    cdef object number
    if type(events) is not list:
        return None
    count = PyList_GET_SIZE(events)
    memset(known, 0, sizeof(known))
    for place in range(count):
        event = PyList_GET_ITEM(events, place)
        kind = FOXTROT_KIND(event)
        if kind == TRADE:
            slots = TRADE_SLOTS
        elif kind == QUOTE:
            slots = QUOTE_SLOTS
        elif kind == DELTA:
            slots = DELTA_SLOTS
        else:
            return None
        symbol = FOXTROT_AT(event, slots.symbol)
        # events keep their names alive, and the compiled reader shares them
        named = &known[((<size_t>symbol >> 5) ^ (<size_t>kind >> 7)) & (PLACES - 1)]
        if named.symbol != symbol or named.kind != kind:
            looked_up = PyDict_GetItemWithError(streams, (<object>kind, <object>symbol))
            if looked_up == NULL:
                return None
            stream = <object>looked_up
            for found in range(present):
                if touched[found].stream == <PyObject *>stream:
                    break
            else:
                found = present
                if present == STREAMS or not prepare(&touched[present], stream, kind, side):
                    return None
                present += 1
            named.kind, named.symbol, named.place = kind, symbol, found
        verdict = decide(&touched[named.place], event, slots)
        if verdict < 0:
            return None
        if verdict == 0:
            if kept is None:
                kept = list(range(place))
        elif kept is not None:
            kept.append(place)
    changed = []
    for found in range(present):
        each = &touched[found]
        foxtrot_put(each.stream, BATCH, <PyObject *>batch)
        if each.newest != NULL:
            foxtrot_put(each.stream, NEWEST, each.newest)
            number = each.last
            foxtrot_put(each.stream, LAST, <PyObject *>number)
        else:
            foxtrot_put(each.stream, NEWEST, <PyObject *>None)
        number = each.seen
        foxtrot_put(each.stream, SEEN, <PyObject *>number)
        changed.append(<object>each.stream)
    return changed, kept


def settle(list changed not None, tuple side not None):
    """Settle what the last `admit` has decided."""
    cdef PyObject *stream
    cdef PyObject *newest
    cdef PyObject *at
    cdef _Slots slots
    cdef dict own
    cdef int64_t at_ns
    cdef object ceiling_ns
    name = side[0]
    for each in changed:
        stream = <PyObject *>each
        newest = FOXTROT_AT(stream, NEWEST)
        own = <dict>FOXTROT_AT(stream, OWN)
        if newest != <PyObject *>None:
            if FOXTROT_KIND(newest) == TRADE:
                slots = TRADE_SLOTS
            elif FOXTROT_KIND(newest) == QUOTE:
                slots = QUOTE_SLOTS
            else:
                slots = DELTA_SLOTS
            foxtrot_put(stream, RECEIVE_NS, FOXTROT_AT(newest, slots.receive_ns))
            at = FOXTROT_AT(newest, slots.exchange_ns)
            if foxtrot_number(at):
                foxtrot_put(stream, EXCHANGE_NS, at)
            foxtrot_put(stream, SEEN, FOXTROT_AT(stream, LAST))
            own[name] = <object>FOXTROT_AT(stream, LAST)
        elif (<object>FOXTROT_AT(stream, SEEN)) != NO_NUMBER:
            own[name] = <object>FOXTROT_AT(stream, SEEN)
        at_ns = foxtrot_number(FOXTROT_AT(stream, EXCHANGE_NS))
        ceiling_ns = at_ns + MARGIN_NS if at_ns else NUMBERS_END
        foxtrot_put(stream, CEILING_NS, <PyObject *>ceiling_ns)
        foxtrot_put(stream, SIDE, <PyObject *>side)
        if <object>FOXTROT_AT(stream, HEADS):
            (<dict>FOXTROT_AT(stream, HEADS)).pop(name, None)
