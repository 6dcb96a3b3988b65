# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Compiled form of `crossing.PurePriceSide`: the prices of one side of a book, found by value, best price at hand.

A table of levels with open addressing. Levels of size zero stay in it until it is rebuilt. The least live price of
each block of places is kept, so that the best price is found without reading the table.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.math cimport INFINITY, isfinite
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy, memset

cdef extern from *:
    const unsigned int FOXTROT_SOURCE_CRC

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object, Py_ssize_t *) except NULL
    double PyOS_string_to_double(const char *, char **, void *) except? -1.0

SOURCE_CRC = FOXTROT_SOURCE_CRC

cdef enum:
    PLACES_MIN = 64  # a power of two, at least BLOCK
    BLOCK = 64  # places whose least price is kept
    TEXT_BYTES = 23  # longer texts of prices are kept beside the table
    DIGITS_EXACT = 15  # decimal digits that a double holds exactly
    NUMBER_BYTES = 64

cdef double[23] POWERS
for _place in range(23):
    POWERS[_place] = 10.0**_place


cdef bint value_of(const char *text, Py_ssize_t size, double *value) except -1:
    """Read digits with at most one point between them; False for anything else."""
    cdef uint64_t mantissa = 0
    cdef Py_ssize_t place = 0, whole
    cdef unsigned char digit
    cdef char[NUMBER_BYTES + 1] copied
    if not 0 < size <= NUMBER_BYTES:
        return False
    while place < size:
        digit = <unsigned char> (text[place] - c'0')
        if digit > 9:
            break
        mantissa = mantissa * 10 + digit
        place += 1
    whole = place
    if place < size:
        if text[place] != c'.' or place == 0 or place + 1 == size:
            return False
        place += 1
        while place < size:
            digit = <unsigned char> (text[place] - c'0')
            if digit > 9:
                return False
            mantissa = mantissa * 10 + digit
            place += 1
        if size <= DIGITS_EXACT + 1:
            # both are exact, so the quotient is the nearest double
            value[0] = <double> mantissa / POWERS[size - whole - 1]
            return True
    elif size <= DIGITS_EXACT:
        value[0] = <double> mantissa
        return True
    memcpy(copied, text, size)  # the mantissa may have overflowed
    copied[size] = 0
    value[0] = PyOS_string_to_double(copied, NULL, NULL)
    return True


cdef class PriceSide:
    """The prices of one side.

    Args:
        sign: -1.0 for bids, 1.0 for asks. Prices are ordered by `sign` times their value: the best comes first.
    """

    def __cinit__(self, double sign):
        self.sign = sign
        self.long_texts = {}
        self.bad_sizes = {}
        self.room = 0
        self.rebuild()

    def __dealloc__(self):
        PyMem_Free(self.levels)
        PyMem_Free(self.live)
        PyMem_Free(self.least)

    def __len__(self):
        """Levels in the table, removed ones among them."""
        return self.used

    def merge(self, changes):
        """Set the levels in `changes`, in this order. Raises ValueError for a price that is not a number."""
        cdef const char *text
        cdef const char *size_text
        cdef Py_ssize_t size, size_size
        cdef double value, amount
        for changed in changes:
            for price, amount_text in changed:
                text = PyUnicode_AsUTF8AndSize(price, &size)
                if not value_of(text, size, &value):
                    value = float(price)
                if not isfinite(value):
                    raise ValueError(f"a price of {price}")
                size_text = PyUnicode_AsUTF8AndSize(amount_text, &size_size)
                amount = 0.0
                if not value_of(size_text, size_size, &amount):
                    try:
                        amount = float(amount_text)
                    except ValueError:
                        # counts as a level until it is asked for
                        amount = 1.0
                        self.bad_sizes[self.sign * value] = amount_text
                    else:
                        self.bad_sizes.pop(self.sign * value, None)
                elif self.bad_sizes:
                    self.bad_sizes.pop(self.sign * value, None)
                self.put_order(self.sign * value, text, size, amount != 0.0)

    def best(self):
        """Return the best price; None on an empty side. Raises ValueError for a size that is not a number."""
        cdef Py_ssize_t place = self.best_place()
        if place < 0:
            return None
        if self.bad_sizes:
            bad = self.bad_sizes.get(self.levels[place].order)
            if bad is not None:
                float(bad)
        return self.text_at(place)

    cdef str text_at(self, Py_ssize_t place):
        cdef Level *level = &self.levels[place]
        if self.respelled:
            return repr(self.sign * level.order)
        if level.size > TEXT_BYTES:
            return self.long_texts[level.order]
        return level.text[:level.size].decode()

    cdef int put(self, const char *price, Py_ssize_t size, bint remains) except -1:
        """Set a level by the text of its price, which has digits and at most one point between them."""
        cdef double value = 0.0
        if not value_of(price, size, &value):
            raise ValueError(price[:size])
        if self.bad_sizes:
            self.bad_sizes.pop(self.sign * value, None)
        return self.put_order(self.sign * value, price, size, remains)

    cdef int put_order(self, double order, const char *text, Py_ssize_t size, bint remains) except -1:
        cdef uint64_t mixed
        cdef Py_ssize_t place, block, each
        cdef Level *level
        cdef double before, now
        order += 0.0  # no negative zero
        memcpy(&mixed, &order, 8)
        mixed = (mixed ^ (mixed >> 32)) * <uint64_t> 0x9E3779B97F4A7C15
        place = <Py_ssize_t> (mixed >> 32) & (self.room - 1)
        while True:
            level = &self.levels[place]
            if level.size == 0:
                if not remains:
                    return 0  # what is not there need not be removed
                if 3 * self.used >= 2 * self.room:
                    self.rebuild()
                    return self.put_order(order, text, size, remains)
                self.used += 1
                level.order = order
                self.live[place] = INFINITY
                break
            if level.order == order:
                if remains and self.live[place] != INFINITY and not self.spelled_so(level, text, size):
                    self.respelled = True
                break
            place = (place + 1) & (self.room - 1)
        if remains:
            if size <= TEXT_BYTES:
                memcpy(level.text, text, size)
                level.size = <unsigned char> size
            else:
                level.size = TEXT_BYTES + 1
                self.long_texts[order] = text[:size].decode()
        before = self.live[place]
        now = order if remains else INFINITY
        self.live[place] = now
        block = place // BLOCK
        if now < self.least[block]:
            self.least[block] = now
        elif before == self.least[block] and now > before:
            before = INFINITY
            for each in range(block * BLOCK, (block + 1) * BLOCK):
                if self.live[each] < before:
                    before = self.live[each]
            self.least[block] = before
        return 0

    cdef bint spelled_so(self, Level *level, const char *text, Py_ssize_t size):
        if size > TEXT_BYTES or level.size > TEXT_BYTES:
            return level.size > TEXT_BYTES and self.long_texts[level.order] == text[:size].decode()
        return level.size == size and memcmp(level.text, text, size) == 0

    cdef Py_ssize_t best_place(self) noexcept:
        """Return the place of the best level; -1 on an empty side."""
        cdef Py_ssize_t block, found = -1, place
        cdef double least = INFINITY
        for block in range(self.room // BLOCK):
            if self.least[block] < least:
                least = self.least[block]
                found = block
        if found < 0:
            return -1
        for place in range(found * BLOCK, (found + 1) * BLOCK):
            if self.live[place] == least:
                return place
        return -1

    cdef int rebuild(self) except -1:
        """Make room, and forget removed levels."""
        cdef Level *levels = self.levels
        cdef double *live = self.live
        cdef double *least = self.least
        cdef Py_ssize_t room = self.room, place, count = 0
        cdef Level *level
        for place in range(room):
            count += live[place] != INFINITY
        self.room = PLACES_MIN
        while self.room < 2 * count:
            self.room *= 2
        self.levels = <Level *> PyMem_Malloc(self.room * sizeof(Level))
        self.live = <double *> PyMem_Malloc(self.room * sizeof(double))
        self.least = <double *> PyMem_Malloc(self.room // BLOCK * sizeof(double))
        if self.levels == NULL or self.live == NULL or self.least == NULL:
            PyMem_Free(self.levels)
            PyMem_Free(self.live)
            PyMem_Free(self.least)
            self.levels, self.live, self.least, self.room = levels, live, least, room
            raise MemoryError
        memset(self.levels, 0, self.room * sizeof(Level))
        for place in range(self.room):
            self.live[place] = INFINITY
        for place in range(self.room // BLOCK):
            self.least[place] = INFINITY
        self.used = 0
        long_texts, self.long_texts = self.long_texts, {}
        for place in range(room):
            level = &levels[place]
            if live[place] == INFINITY:
                continue
            if level.size > TEXT_BYTES:
                text = long_texts[level.order].encode()
                self.put_order(level.order, text, len(text), True)
            else:
                self.put_order(level.order, level.text, level.size, True)
        PyMem_Free(levels)
        PyMem_Free(live)
        PyMem_Free(least)
        return 0
