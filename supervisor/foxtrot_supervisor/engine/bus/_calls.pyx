# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Compiled form of `dispatcher.call_market`: the loop that calls the handlers of market data."""

from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF, Py_XINCREF

from foxtrot_protocol.events import EVENT_TYPES
from foxtrot_supervisor.engine.bus.event import Event
from foxtrot_supervisor.engine.bus.handler_registry import Registration

cdef extern from *:
    """
    #include <structmember.h>

    #define FOXTROT_KIND(object) ((PyObject *)Py_TYPE(object))
    #define FOXTROT_AT(object, offset) (*(PyObject **)((char *)(object) + (offset)))

    /* Place of a slot in the objects of `type`; -1 with an exception. */
    static Py_ssize_t foxtrot_slot(PyObject *type, const char *name) {
        Py_ssize_t offset = -1;
        PyObject *found = PyObject_GetAttrString(type, name);
        if (found == NULL) return -1;
        if (Py_TYPE(found) == &PyMemberDescr_Type) {
            offset = ((PyMemberDescrObject *)found)->d_member->offset;
        } else {
            PyErr_Format(PyExc_ImportError, "%s is not a slot", name);
        }
        Py_DECREF(found);
        return offset;
    }

    /* Adds one to the number in a slot. */
    static int foxtrot_count(PyObject *object, Py_ssize_t offset) {
        PyObject *before = FOXTROT_AT(object, offset);
        long long number = PyLong_AsLongLong(before);
        if (number == -1 && PyErr_Occurred()) return -1;
        PyObject *after = PyLong_FromLongLong(number + 1);
        if (after == NULL) return -1;
        FOXTROT_AT(object, offset) = after;
        Py_DECREF(before);
        return 0;
    }
    """
    const unsigned int FOXTROT_SOURCE_CRC
    PyObject *FOXTROT_KIND(object)
    PyObject *FOXTROT_AT(PyObject *, Py_ssize_t)
    Py_ssize_t foxtrot_slot(object, const char *) except -1
    int foxtrot_count(PyObject *, Py_ssize_t) except -1

SOURCE_CRC = FOXTROT_SOURCE_CRC

cdef Py_ssize_t CALLS = foxtrot_slot(Registration, "calls")
cdef Py_ssize_t CALL = foxtrot_slot(Registration, "call")

cdef enum:
    KINDS_MAX = 32  # types of market data

cdef PyObject *KINDS[KINDS_MAX]
cdef int kinds = 0
cdef Py_ssize_t SYMBOL = 0
cdef Py_ssize_t EXCHANGE = 0
for _kind in EVENT_TYPES:
    if _kind.__struct_fields__[:2] != ("exchange", "symbol"):
        continue
    if kinds == 0:
        EXCHANGE, SYMBOL = foxtrot_slot(_kind, "exchange"), foxtrot_slot(_kind, "symbol")
    # types whose names stand elsewhere are read by name
    if kinds < KINDS_MAX and (foxtrot_slot(_kind, "exchange"), foxtrot_slot(_kind, "symbol")) == (EXCHANGE, SYMBOL):
        KINDS[kinds] = <PyObject *>_kind  # its module keeps it alive
        kinds += 1


cdef inline bint is_plain(PyObject *kind) noexcept:
    """Whether the names of events of this type stand at `SYMBOL` and `EXCHANGE`."""
    cdef int place
    for place in range(kinds):
        if KINDS[place] == kind:
            return True
    return False


cdef enum:
    ROUTES = 64  # streams of one batch whose routes are remembered; a power of two

cdef struct Found:
    # identity of a stream, and its route; strong references
    PyObject *kind
    PyObject *symbol
    PyObject *exchange
    PyObject *route


cdef void forget(Found *found) noexcept:
    Py_XDECREF(found.kind)
    Py_XDECREF(found.symbol)
    Py_XDECREF(found.exchange)
    Py_XDECREF(found.route)
    found.kind = found.symbol = found.exchange = found.route = NULL


def call_market(dispatcher, batch):
    """Call the handlers of each event of `batch`, an iterator; see the pure form."""
    cdef Found known[ROUTES]
    cdef Found *found
    cdef PyObject *kind
    cdef int place
    cdef object table = dispatcher._table
    cdef dict routes = table.market_routes
    cdef list changes = table.changes
    cdef object state = changes[0]
    cdef object running = None
    cdef object data, symbol, exchange, event, registration, handler
    cdef tuple route, part, registrations
    for place in range(ROUTES):
        known[place].kind = known[place].symbol = known[place].exchange = known[place].route = NULL
    try:
        for data in batch:
            if changes[0] is not state:
                state = changes[0]
                for place in range(ROUTES):
                    forget(&known[place])
            kind = FOXTROT_KIND(data)
            if is_plain(kind):
                symbol = <object>FOXTROT_AT(<PyObject *>data, SYMBOL)
                exchange = <object>FOXTROT_AT(<PyObject *>data, EXCHANGE)
            else:
                symbol = data.symbol
                exchange = data.exchange
            # the decoder shares the names of a stream: they are found by their address
            found = &known[((<size_t><PyObject *>symbol >> 5) ^ (<size_t>kind >> 8)) & (ROUTES - 1)]
            if (
                found.symbol == <PyObject *>symbol
                and found.kind == kind
                and found.exchange == <PyObject *>exchange
            ):
                route = <tuple>found.route
            else:
                key = (<object>kind, symbol, exchange)
                route = routes.get(key)
                if route is None:
                    route = table.market_route(key)
                forget(found)
                found.kind, found.symbol = kind, <PyObject *>symbol
                found.exchange, found.route = <PyObject *>exchange, <PyObject *>route
                Py_XINCREF(found.kind)
                Py_XINCREF(found.symbol)
                Py_XINCREF(found.exchange)
                Py_XINCREF(found.route)
            for part in route:
                registrations = <tuple>part[1]
                event = Event(part[0], data)
                for registration in registrations:
                    # a handler that dispatches leaves `current` as it was
                    if registration is not running:
                        dispatcher.current = running = registration
                    foxtrot_count(<PyObject *>registration, CALLS)
                    handler = <object>FOXTROT_AT(<PyObject *>registration, CALL)
                    try:
                        handler(event)
                    except BaseException as error:
                        dispatcher._failed(registration, event, error)
    finally:
        for place in range(ROUTES):
            forget(&known[place])
