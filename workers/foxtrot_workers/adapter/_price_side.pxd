cdef struct Level:
    double order
    char[23] text
    unsigned char size


cdef class PriceSide:
    cdef double sign
    cdef Level *levels
    cdef double *live
    cdef double *least
    cdef Py_ssize_t room, used
    cdef bint respelled
    cdef dict long_texts
    cdef dict bad_sizes

    cdef int put(self, const char *price, Py_ssize_t size, bint remains) except -1
    cdef int put_order(self, double order, const char *text, Py_ssize_t size, bint remains) except -1
    cdef int rebuild(self) except -1
    cdef Py_ssize_t best_place(self) noexcept
    cdef str text_at(self, Py_ssize_t place)
    cdef bint spelled_so(self, Level *level, const char *text, Py_ssize_t size)
