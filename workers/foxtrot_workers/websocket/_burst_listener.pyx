# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Compiled form of `burst_listener.PureBurstListener`: picows calls it for each frame without Python in between.

It is compiled against the declarations of one version of picows, and refuses any other.
"""

import picows
from cpython.list cimport PyList_GET_SIZE
from picows.picows cimport WSFrame, WSListener, WSTransport

cdef extern from *:
    const unsigned int FOXTROT_SOURCE_CRC
    const char *FOXTROT_PICOWS_VERSION

SOURCE_CRC = FOXTROT_SOURCE_CRC

PICOWS_VERSION = FOXTROT_PICOWS_VERSION.decode()


def check_version():
    """Raise ImportError if another version of picows is installed than the one this was compiled for."""
    if picows.__version__ != PICOWS_VERSION:
        raise ImportError(f"compiled for picows {PICOWS_VERSION}, but {picows.__version__} is installed")


check_version()

cdef enum:
    CONTROL_BYTES_MAX = 125  # as in `burst_listener`
    FRAMES_MAX = 512  # `client.BURST_FRAMES_MAX`


cdef class BurstListener(WSListener):
    """See the pure form."""

    cdef public list burst
    cdef public bint fragmented
    cdef public bint behind
    cdef object owner

    def __init__(self, owner):
        self.owner = owner
        self.burst = []
        self.fragmented = False
        self.behind = False

    cpdef on_ws_frame(self, WSTransport transport, WSFrame frame):
        if frame.payload_size > CONTROL_BYTES_MAX and frame.fin and not frame.rsv1 and not self.fragmented:
            self.burst.append(frame.get_payload_as_bytes())
            if (frame.last_in_buffer or PyList_GET_SIZE(self.burst) >= FRAMES_MAX) and not self.behind:
                self.owner.hand_over(bool(frame.last_in_buffer))
        else:
            self.owner.on_other_frame(transport, frame)

    cpdef on_ws_disconnected(self, WSTransport transport):
        self.owner.on_disconnected()
