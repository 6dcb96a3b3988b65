# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Compiled part of the worker's hot path: matches frames to templates and writes the bytes of a batch.

Its reference is parsing by the adapter and encoding by `foxtrot_protocol.codec.BatchEncoder`: both forms give the same
bytes (tests/workers/templates/test_equality.py). `foxtrot_workers.templates.program` describes programs of templates,
docs/protocol.md the batch. Nothing here trusts a frame: each byte is compared or checked before it is copied.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_SetItem
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

from foxtrot_workers.adapter._price_side cimport PriceSide

from foxtrot_workers.adapter.crossing import CHECK_INTERVAL_NS

cdef extern from *:
    const unsigned int FOXTROT_SOURCE_CRC

SOURCE_CRC = FOXTROT_SOURCE_CRC

cdef enum:
    SLOTS_MAX = 32  # fields of a frame, or of a row of it
    ROWS_MAX = 128  # rows of a frame
    NUMBER_CHARS_MAX = 64  # of a decimal number
    LEVEL_LISTS_MAX = 4  # lists of levels in a frame
    GUESSES = 512  # templates remembered by the beginning of frames; a power of two
    GUESS_AT = 8  # where the part of a frame begins by which they are remembered
    GUESS_BYTES = 32  # its size
    RANGES_MAX = 255  # as in `foxtrot_protocol.stream_ranges`
    EVENTS_PER_RANGE_MIN = 8  # as there

cdef int64_t CHECK_NS = CHECK_INTERVAL_NS
cdef int64_t ID_END = 1 << 62  # identifiers that ranges compare are below

# codes of matching operations; `program` gives them to templates by name
cdef enum:
    LITERAL = 0
    SKIP_STRING = 1
    SKIP_NUMBER = 2
    SKIP_WORD = 3
    TEXT = 4
    DECIMAL = 5
    NONZERO = 6
    INTEGER = 7
    CHOICE = 8
    LEVELS = 9
    KEY = 10
    SAME = 11
    SYMBOL = 12

# codes of writing operations
cdef enum:
    PUT_BYTES = 0
    PUT_SYMBOL = 1
    PUT_RECEIVE_TIME = 2
    PUT_TEXT = 3
    PUT_INTEGER = 4
    PUT_CHOICE = 5
    PUT_LEVELS = 6

# which identifiers an event has
cdef enum:
    IDS_NONE = 0
    IDS_ONE = 1
    IDS_TWO = 2


cdef struct Slot:
    const char* start
    Py_ssize_t size
    int64_t value


cdef struct MatchStep:
    int code
    int slot
    int other
    const char* text
    Py_ssize_t size
    int64_t bound
    int first_choice
    int choices


cdef struct WriteStep:
    int code
    int slot
    int in_row
    const char* text
    Py_ssize_t size
    int64_t scale
    int first_choice


cdef struct Piece:
    const char* text
    Py_ssize_t size


cdef struct Buffer:
    char* data
    Py_ssize_t size
    Py_ssize_t room


cdef struct LevelList:
    Buffer text
    Py_ssize_t begin
    Py_ssize_t count


cdef struct Range:
    int64_t batch
    int place
    bint claims
    int step
    int64_t count
    int64_t first
    int64_t last


cdef struct Stream:
    const char* key
    Py_ssize_t key_size
    uint64_t hash
    const char* symbol
    Py_ssize_t symbol_size
    const char* symbol_text
    Py_ssize_t symbol_text_size
    int number
    int64_t seen


cdef int reserve(Buffer* buffer, Py_ssize_t more) except -1:
    cdef Py_ssize_t room
    cdef char* data
    if buffer.size + more > buffer.room:
        room = buffer.room * 2
        if room < buffer.size + more:
            room = buffer.size + more
        if room < 4096:
            room = 4096
        data = <char*> realloc(buffer.data, room)
        if data == NULL:
            raise MemoryError()
        buffer.data = data
        buffer.room = room
    return 0


cdef inline char* put_big_endian(char* at, uint64_t value, int count) noexcept nogil:
    cdef int shift = 8 * (count - 1)
    while shift >= 0:
        at[0] = <char> ((value >> shift) & 0xFF)
        at += 1
        shift -= 8
    return at


cdef inline char* put_unsigned(char* at, uint64_t value) noexcept nogil:
    """Write a msgpack integer in its shortest form; at most 9 bytes."""
    if value < 0x80:
        at[0] = <char> value
        return at + 1
    if value <= 0xFF:
        at[0] = <char> 0xCC
        return put_big_endian(at + 1, value, 1)
    if value <= 0xFFFF:
        at[0] = <char> 0xCD
        return put_big_endian(at + 1, value, 2)
    if value <= 0xFFFFFFFFu:
        at[0] = <char> 0xCE
        return put_big_endian(at + 1, value, 4)
    at[0] = <char> 0xCF
    return put_big_endian(at + 1, value, 8)


cdef inline char* put_text_head(char* at, Py_ssize_t size) noexcept nogil:
    """Write the head of a msgpack string; at most 5 bytes."""
    if size < 32:
        at[0] = <char> (0xA0 | size)
        return at + 1
    if size <= 0xFF:
        at[0] = <char> 0xD9
        return put_big_endian(at + 1, <uint64_t> size, 1)
    if size <= 0xFFFF:
        at[0] = <char> 0xDA
        return put_big_endian(at + 1, <uint64_t> size, 2)
    at[0] = <char> 0xDB
    return put_big_endian(at + 1, <uint64_t> size, 4)


cdef inline char* put_array_head(char* at, Py_ssize_t count) noexcept nogil:
    """Write the head of a msgpack array; at most 5 bytes."""
    if count < 16:
        at[0] = <char> (0x90 | count)
        return at + 1
    if count <= 0xFFFF:
        at[0] = <char> 0xDC
        return put_big_endian(at + 1, <uint64_t> count, 2)
    at[0] = <char> 0xDD
    return put_big_endian(at + 1, <uint64_t> count, 4)


cdef inline int64_t identifier(const char* text, Py_ssize_t size) noexcept nogil:
    """Return the number that ASCII digits show, below 2^62; -1 for anything else."""
    cdef Py_ssize_t at = 0
    cdef int64_t value = 0
    if size == 0:
        return -1
    while at < size and text[at] == c'0':
        at += 1
    if size - at > 19:
        return -1
    while at < size:
        if text[at] < c'0' or text[at] > c'9':
            return -1
        if value > (ID_END - 1 - (text[at] - c'0')) // 10:
            return -1
        value = value * 10 + (text[at] - c'0')
        at += 1
    return value


cdef class BookChain:
    """`foxtrot_workers.adapter.book_chain.PureBookChain`, for the matcher to read and advance."""

    cdef public object last
    cdef public object newest
    cdef public object last_ns
    cdef public long in_order
    cdef readonly bint steady
    cdef readonly int step
    cdef PriceSide bids
    cdef PriceSide asks
    cdef int64_t check_ns

    def __init__(self, int step):
        self.last = None
        self.newest = 0
        self.last_ns = 0
        self.in_order = 0
        self.steady = False
        self.step = step

    def settle(self, crossing):
        self.bids = crossing.bids
        self.asks = crossing.asks
        self.check_ns = crossing.check_ns
        self.steady = True

    def unsettle(self):
        self.steady = False

    cdef int merge(self, const char* at) except -1:
        """Merge an update that was published, by its encoded event, into the check for a crossed book."""
        cdef int index
        # array of the event, tag, exchange, symbol, exchange time, receive time; then bids and asks
        at = behind_array_head(at, NULL)
        for index in range(3):
            at = behind_text(at, NULL, NULL)
        for index in range(2):
            at = behind_unsigned(at)
        at = merge_levels(self.bids, at)
        merge_levels(self.asks, at)
        return 0


# ---- reading what was written here: msgpack that needs no check

cdef inline const char* behind_unsigned(const char* at) noexcept nogil:
    cdef uint8_t head = <uint8_t> at[0]
    return at + 1 if head < 0x80 else at + 1 + (1 << (head - 0xCC))


cdef inline Py_ssize_t big_endian(const char* at, int count) noexcept nogil:
    cdef Py_ssize_t value = 0
    cdef int index
    for index in range(count):
        value = value << 8 | <uint8_t> at[index]
    return value


cdef inline const char* behind_array_head(const char* at, Py_ssize_t* count) noexcept nogil:
    cdef uint8_t head = <uint8_t> at[0]
    cdef int width = 0 if head < 0xDC else 2 if head == 0xDC else 4
    if count != NULL:
        count[0] = big_endian(at + 1, width) if width else head & 0x0F
    return at + 1 + width


cdef inline const char* behind_text(const char* at, const char** text, Py_ssize_t* size) noexcept nogil:
    cdef uint8_t head = <uint8_t> at[0]
    cdef int width = 0 if head < 0xC0 else 1 << (head - 0xD9)
    cdef Py_ssize_t length = big_endian(at + 1, width) if width else head & 0x1F
    at += 1 + width
    if text != NULL:
        text[0] = at
        size[0] = length
    return at + length


cdef const char* merge_levels(PriceSide side, const char* at) except NULL:
    cdef Py_ssize_t count, index, price_size, amount_size
    cdef const char* price
    cdef const char* amount
    at = behind_array_head(at, &count)
    for index in range(count):
        at = behind_text(at + 1, &price, &price_size)
        at = behind_text(at, &amount, &amount_size)
        side.put(price, price_size, not shows_zero(amount, amount_size))
    return at


cdef inline bint shows_zero(const char* text, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t index
    for index in range(size):
        if text[index] != c'0' and text[index] != c'.':
            return False
    return True


cdef class BuiltBatch:
    """A finished batch: its events as bytes, and what it says of its streams."""

    cdef Buffer body
    cdef bytes ranges
    cdef Py_ssize_t count

    def __dealloc__(self):
        free(self.body.data)

    def __len__(self):
        return self.count

    @property
    def events_bytes(self):
        """The events as a msgpack array."""
        cdef char head[5]
        cdef char* end = put_array_head(head, self.count)
        return PyBytes_FromStringAndSize(head, end - head) + PyBytes_FromStringAndSize(self.body.data, self.body.size)

    def encode(self, bytes source, uint64_t sequence, uint64_t publish_ns):
        """Return the whole message; `source`: the elements before the sequence number, without the array's head."""
        cdef char head[32]
        cdef char* end = put_array_head(put_unsigned(put_unsigned(head, sequence), publish_ns), self.count)
        cdef Py_ssize_t first = PyBytes_GET_SIZE(source), second = end - head
        cdef Py_ssize_t last = PyBytes_GET_SIZE(self.ranges)
        cdef bytes message = PyBytes_FromStringAndSize(NULL, 1 + first + second + self.body.size + last)
        cdef char* at = PyBytes_AS_STRING(message)
        at[0] = <char> (0x98 if last else 0x96)
        at += 1
        memcpy(at, PyBytes_AS_STRING(source), first)
        memcpy(at + first, head, second)
        memcpy(at + first + second, self.body.data, self.body.size)
        memcpy(at + first + second + self.body.size, PyBytes_AS_STRING(self.ranges), last)
        return message


cdef class BatchBuilder:
    """Collects the encoded events of a batch, and what it says of each stream (`foxtrot_protocol.stream_ranges`).

    Args:
        encode: encodes one event.
        bounds: returns the first and the last identifier of an event, -1 for none.
        book_step: what a delta's `first_id` exceeds the `last_id` before it by; -1: deltas have no claim.
    """

    cdef object encode
    cdef object bounds
    cdef int book_step
    cdef Buffer body
    cdef Py_ssize_t count
    cdef dict numbers
    cdef Range* ranges
    cdef int ranges_room
    cdef int present[RANGES_MAX]
    cdef int present_count
    cdef bint too_many
    cdef Buffer order
    cdef int64_t batch

    def __init__(self, encode, bounds, int book_step):
        self.encode = encode
        self.bounds = bounds
        self.book_step = book_step
        self.batch = 1
        self.numbers = {}

    def __dealloc__(self):
        free(self.body.data)
        free(self.order.data)
        free(self.ranges)

    def __len__(self):
        return self.count

    cdef int number_of(self, tag, exchange, symbol) except -1:
        """Return the number under which a stream is known here."""
        key = (tag, exchange, symbol)
        found = self.numbers.get(key)
        if found is not None:
            return found
        cdef int number = len(self.numbers), room
        cdef Range* grown
        if number >= self.ranges_room:
            room = 2 * self.ranges_room + 64
            grown = <Range*> realloc(self.ranges, room * sizeof(Range))
            if grown == NULL:
                raise MemoryError()
            memset(grown + self.ranges_room, 0, (room - self.ranges_room) * sizeof(Range))
            self.ranges = grown
            self.ranges_room = room
        self.ranges[number].step = -1 if tag == "delta" else 0
        if tag == "delta":
            self.ranges[number].step = self.book_step
        self.numbers[key] = number
        return number

    cdef int note(self, int number, int64_t first, int64_t last, bint is_delta) except -1:
        """Count an event of the stream `number`; `first` and `last`: its identifiers, -1 for none."""
        cdef Range* entry = &self.ranges[number]
        self.count += 1
        if self.too_many:
            return 0
        if entry.batch != self.batch:
            if self.present_count == RANGES_MAX:
                self.too_many = True
                return 0
            entry.batch = self.batch
            entry.place = self.present_count
            self.present[self.present_count] = number
            self.present_count += 1
            entry.count = 0
            entry.first = first
            entry.claims = 0 <= first <= last and entry.step >= 0
        elif entry.claims and (last <= entry.last or (is_delta and first != entry.last + entry.step)):
            entry.claims = False
        entry.count += 1
        entry.last = last
        reserve(&self.order, 1)
        self.order.data[self.order.size] = <char> entry.place
        self.order.size += 1
        return 0

    def add(self, event):
        """Append an event made by Python."""
        cdef bytes data = self.encode(event)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef int64_t first = -1, last = -1
        reserve(&self.body, size)
        memcpy(self.body.data + self.body.size, PyBytes_AS_STRING(data), size)
        self.body.size += size
        if not event.backfilled:
            low, high = self.bounds(event)
            if 0 <= low < ID_END and 0 <= high < ID_END:
                first = low
                last = high
        tag = event.__struct_config__.tag
        self.note(self.number_of(tag, event.exchange, event.symbol), first, last, tag == "delta")

    def take(self):
        """Return the batch, and begin the next one."""
        cdef BuiltBatch batch = BuiltBatch.__new__(BuiltBatch)
        batch.count = self.count
        batch.ranges = self.describe()
        batch.body = self.body
        memset(&self.body, 0, sizeof(Buffer))
        reserve(&self.body, batch.body.size)
        self.count = 0
        self.order.size = 0
        self.present_count = 0
        self.too_many = False
        self.batch += 1
        return batch

    cdef bytes describe(self):
        """Return the ranges and the order of events as msgpack; empty where the batch is not described."""
        cdef char* at
        cdef int index
        cdef Range* entry
        cdef bytes data
        cdef char* start
        if self.too_many or self.count < EVENTS_PER_RANGE_MIN * self.present_count:
            return b""
        start = <char*> malloc(self.present_count * 32 + self.order.size + 16)
        if start == NULL:
            raise MemoryError()
        at = put_array_head(start, self.present_count)
        for index in range(self.present_count):
            entry = &self.ranges[self.present[index]]
            at[0] = <char> 0x94
            at = put_unsigned(at + 1, entry.count)
            if entry.claims:
                at = put_unsigned(at, entry.first)
                at = put_unsigned(at, entry.last)
                at = put_unsigned(at, entry.step)
            else:
                at[0] = at[1] = <char> 0xC0
                at[2] = 0
                at += 3
        if self.present_count <= 1:
            at[0] = <char> 0xC0
            at += 1
        else:
            if self.order.size <= 0xFF:
                at[0] = <char> 0xC4
                at = put_big_endian(at + 1, <uint64_t> self.order.size, 1)
            elif self.order.size <= 0xFFFF:
                at[0] = <char> 0xC5
                at = put_big_endian(at + 1, <uint64_t> self.order.size, 2)
            else:
                at[0] = <char> 0xC6
                at = put_big_endian(at + 1, <uint64_t> self.order.size, 4)
            memcpy(at, self.order.data, self.order.size)
            at += self.order.size
        data = PyBytes_FromStringAndSize(start, at - start)
        free(start)
        return data


cdef class StreamTable:
    """Streams whose frames have one key: looked up by the text of the key."""

    cdef Stream* streams
    cdef int count, room
    cdef int* places
    cdef int mask
    cdef list kept
    cdef list wires
    cdef list symbols
    cdef list chains
    cdef object tag
    cdef object exchange
    cdef bint is_chained

    def __init__(self, tag, exchange, bint is_chained):
        self.tag = tag
        self.exchange = exchange
        self.is_chained = is_chained
        self.fill([])

    def __dealloc__(self):
        free(self.streams)
        free(self.places)

    def fill(self, streams):
        """Replace all streams; each is (key, symbol, wire, chain or None)."""
        cdef int size = 8, index, place
        cdef bytes key_bytes, symbol_bytes, symbol_text
        free(self.streams)
        free(self.places)
        self.streams = NULL
        self.places = NULL
        self.kept = []
        self.wires = []
        self.symbols = []
        self.chains = []
        self.count = len(streams)
        while size < 2 * self.count:
            size *= 2
        self.mask = size - 1
        self.streams = <Stream*> malloc(max(1, self.count) * sizeof(Stream))
        self.places = <int*> malloc(size * sizeof(int))
        if self.streams == NULL or self.places == NULL:
            self.count = 0
            raise MemoryError()
        for place in range(size):
            self.places[place] = -1
        for index in range(self.count):
            key, symbol, wire, chain = streams[index]
            key_bytes = key.encode()
            symbol_bytes = symbol.encode()
            symbol_text = text_bytes(symbol_bytes)
            self.kept += [key_bytes, symbol_bytes, symbol_text]
            self.streams[index].symbol_text = PyBytes_AS_STRING(symbol_bytes)
            self.streams[index].symbol_text_size = PyBytes_GET_SIZE(symbol_bytes)
            self.wires.append(wire)
            self.symbols.append(symbol)
            self.chains.append(chain)
            self.streams[index].key = PyBytes_AS_STRING(key_bytes)
            self.streams[index].key_size = len(key_bytes)
            self.streams[index].hash = hash_of(self.streams[index].key, self.streams[index].key_size)
            self.streams[index].symbol = PyBytes_AS_STRING(symbol_text)
            self.streams[index].symbol_size = len(symbol_text)
            self.streams[index].number = -1
            self.streams[index].seen = 0
            place = <int> (self.streams[index].hash & <uint64_t> self.mask)
            while self.places[place] >= 0:
                place = (place + 1) & self.mask
            self.places[place] = index

    cdef int find(self, const char* key, Py_ssize_t size) noexcept:
        cdef uint64_t value = hash_of(key, size)
        cdef int place = <int> (value & <uint64_t> self.mask)
        cdef int index
        while True:
            index = self.places[place]
            if index < 0:
                return -1
            if (
                self.streams[index].hash == value
                and self.streams[index].key_size == size
                and memcmp(self.streams[index].key, key, size) == 0
            ):
                return index
            place = (place + 1) & self.mask


cdef class Template:
    """One layout of frames, compiled from its program (`foxtrot_workers.templates.program.Program`)."""

    cdef MatchStep* steps
    cdef int head_end, row_end, step_count
    cdef WriteStep* writes
    cdef int write_count
    cdef Piece* pieces
    cdef int piece_count
    cdef Py_ssize_t fixed_size
    cdef list kept
    cdef int key_in_row
    cdef int key_slot
    cdef bint has_rows
    cdef int level_lists
    cdef int identifiers, rows_max
    cdef int first_slot, last_slot
    cdef int id_in_row
    cdef StreamTable streams
    cdef int64_t until_check
    cdef readonly int64_t matched
    cdef public bint active
    cdef readonly object label

    def __dealloc__(self):
        free(self.steps)
        free(self.writes)
        free(self.pieces)

    def __init__(self, StreamTable streams, program, int64_t check_every):
        cdef int index
        self.kept = []
        self.streams = streams
        self.label = program.label
        steps = [*program.head, *program.row, *program.tail]
        self.head_end = len(program.head)
        self.row_end = self.head_end + len(program.row)
        self.step_count = len(steps)
        self.has_rows = bool(program.row)
        choices = [each for step in steps for each in step.choices]
        written = [each for step in program.writes for each in step.choices]
        self.piece_count = len(choices) + len(written)
        self.steps = <MatchStep*> malloc(max(1, self.step_count) * sizeof(MatchStep))
        self.pieces = <Piece*> malloc(max(1, self.piece_count) * sizeof(Piece))
        self.write_count = len(program.writes)
        self.writes = <WriteStep*> malloc(max(1, self.write_count) * sizeof(WriteStep))
        if self.steps == NULL or self.pieces == NULL or self.writes == NULL:
            raise MemoryError()
        self.key_slot = -1
        self.level_lists = 0
        cdef int piece = 0
        for index in range(self.step_count):
            step = steps[index]
            if not 0 <= step.slot < SLOTS_MAX or (step.code == SAME and not 0 <= step.other < SLOTS_MAX):
                raise ValueError("too many fields for a template")
            self.steps[index].code = step.code
            self.steps[index].slot = step.slot
            self.steps[index].other = step.other
            self.steps[index].text = self.keep(step.text)
            self.steps[index].size = len(step.text)
            self.steps[index].bound = step.bound
            self.steps[index].first_choice = piece
            self.steps[index].choices = len(step.choices)
            for text in step.choices:
                self.pieces[piece].text = self.keep(text)
                self.pieces[piece].size = len(text)
                piece += 1
            if step.code == SYMBOL and self.key_slot < 0:
                raise ValueError("a template with a symbol before its key")
            if step.code == KEY:
                self.key_slot = step.slot
                self.key_in_row = self.head_end <= index < self.row_end
            if step.code == LEVELS:
                if step.slot != self.level_lists or step.slot >= LEVEL_LISTS_MAX:
                    raise ValueError("too many lists of levels for a template")
                self.level_lists += 1
        if self.key_slot < 0:
            raise ValueError("a template without a key")
        self.fixed_size = 0
        for index in range(self.write_count):
            step = program.writes[index]
            self.writes[index].code = step.code
            self.writes[index].slot = step.slot
            self.writes[index].in_row = step.in_row
            self.writes[index].text = self.keep(step.text)
            self.writes[index].size = len(step.text)
            self.writes[index].scale = step.scale
            self.writes[index].first_choice = piece
            for text in step.choices:
                self.pieces[piece].text = self.keep(text)
                self.pieces[piece].size = len(text)
                self.fixed_size += len(text)
                piece += 1
            self.fixed_size += len(step.text) + 16
        self.identifiers = program.identifiers
        self.rows_max = min(program.rows_max, ROWS_MAX)
        self.first_slot = program.first_slot
        self.last_slot = program.last_slot
        self.id_in_row = program.id_in_row
        self.until_check = check_every
        self.active = True

    cdef const char* keep(self, bytes text):
        self.kept.append(text)
        return PyBytes_AS_STRING(text)


cdef bytes text_bytes(bytes text):
    cdef char head[8]
    cdef char* end = put_text_head(head, len(text))
    return PyBytes_FromStringAndSize(head, end - head) + text


cdef inline uint64_t hash_of(const char* text, Py_ssize_t size) noexcept nogil:
    cdef uint64_t value = 0xCBF29CE484222325u ^ <uint64_t> size
    cdef uint64_t word
    while size >= 8:
        memcpy(&word, text, 8)
        value = (value ^ word) * 0x9E3779B97F4A7C15u
        value ^= value >> 29
        text += 8
        size -= 8
    word = 0
    memcpy(&word, text, size)
    value = (value ^ word) * 0x9E3779B97F4A7C15u
    return value ^ (value >> 32)


cdef inline bint is_plain(char byte) noexcept nogil:
    """Whether a byte stands for itself in a JSON string: printable ASCII, no quotation mark, no backslash."""
    return 0x20 <= <uint8_t> byte < 0x7F and byte != c'"' and byte != c'\\'


cdef inline bint is_digit(char byte) noexcept nogil:
    return c'0' <= byte <= c'9'


cdef class Matcher:
    """Takes frames that match a template; all others are left to Python.

    Args:
        builder: receives the events.
        last_data_ns: receive time of the last data of each topic, by wire name; kept current for what is taken.
        events_max: events in the batch at which `run` returns.
        check_every: frames of a template from one comparison with Python to the next.
        in_order_max: length of the run of updates in order at which Python must see a book.
    """

    cdef BatchBuilder builder
    cdef dict last_data_ns
    cdef Py_ssize_t events_max
    cdef int64_t check_every
    cdef long in_order_max
    cdef list templates
    cdef PyObject* guesses[GUESSES]
    cdef Slot slots[(ROWS_MAX + 1) * SLOTS_MAX]
    cdef LevelList levels[LEVEL_LISTS_MAX]
    cdef int rows
    cdef char receive_text[16]
    cdef Py_ssize_t receive_size
    cdef int64_t receive_ns
    cdef int64_t turn
    cdef readonly Template due
    cdef readonly int64_t frames_total
    cdef readonly int64_t events_total

    def __init__(self, BatchBuilder builder, dict last_data_ns, Py_ssize_t events_max, int64_t check_every, long in_order_max):
        self.builder = builder
        self.last_data_ns = last_data_ns
        self.events_max = events_max
        self.check_every = check_every
        self.in_order_max = in_order_max
        self.templates = []
        memset(self.guesses, 0, sizeof(self.guesses))

    def __dealloc__(self):
        cdef int index
        for index in range(LEVEL_LISTS_MAX):
            free(self.levels[index].text.data)

    def add(self, StreamTable streams, program):
        """Compile `program` and return its template, which is used from now on; raises ValueError."""
        cdef Template template = Template(streams, program, self.check_every)
        self.templates.append(template)
        return template

    def remove(self, Template template):
        """Use `template` no longer."""
        template.active = False
        self.templates.remove(template)
        memset(self.guesses, 0, sizeof(self.guesses))

    def run(self, list frames, Py_ssize_t start, receive_ns):
        """Take frames from the one at `start` on; return the index of the first that is not taken.

        Returns at the first frame that matches no template, when the batch is full, and when a frame is to be
        compared with Python's result: `due` is then its template.
        """
        cdef Py_ssize_t index = start, count = PyList_GET_SIZE(frames)
        cdef Template template
        self.due = None
        self.set_receive_time(receive_ns)
        self.turn += 1
        while index < count:
            if not PyBytes_CheckExact(<object> PyList_GET_ITEM(frames, index)):
                break
            template = self.match(<bytes> PyList_GET_ITEM(frames, index))
            if template is None:
                break
            if template.until_check <= 1:
                self.due = template
                break
            if not self.emit(template, receive_ns):
                break
            template.until_check -= 1
            template.matched += 1
            self.frames_total += 1
            index += 1
            if self.builder.count >= self.events_max:
                break
        return index

    def preview(self, bytes frame, receive_ns, bint ordered):
        """Return the template and the bytes of the events of `frame`, without any effect; None if it does not match.

        `ordered`: an update of a book must also continue its chain.
        """
        cdef Template template
        cdef Buffer out
        cdef int row
        self.set_receive_time(receive_ns)
        template = self.match(frame)
        if template is None or (ordered and self.chain_of(template) is False):
            return None
        memset(&out, 0, sizeof(Buffer))
        try:
            for row in range(self.rows):
                self.write(template, row, &out)
            return template, PyBytes_FromStringAndSize(out.data, out.size)
        finally:
            free(out.data)

    def rehearse(self, bytes frame, receive_ns, int times):
        """Match `frame` and write its events so many times, without any effect; False if it does not match.

        For measurements.
        """
        cdef Template template
        cdef Buffer out
        cdef int row
        self.set_receive_time(receive_ns)
        memset(&out, 0, sizeof(Buffer))
        try:
            while times:
                times -= 1
                template = self.match(frame)
                if template is None:
                    return False
                out.size = 0
                for row in range(self.rows):
                    self.write(template, row, &out)
            return True
        finally:
            free(out.data)

    def checked(self, Template template):
        """Begin the count to the next comparison of `template`."""
        template.until_check = self.check_every

    cdef int set_receive_time(self, uint64_t receive_ns) except -1:
        self.receive_ns = receive_ns
        self.receive_size = put_unsigned(self.receive_text, receive_ns) - self.receive_text
        return 0

    cdef inline Slot* slots_of(self, int in_row, int row) noexcept:
        """Return the fields of a row, or those outside of the rows."""
        return &self.slots[(row + 1) * SLOTS_MAX if in_row else 0]

    cdef Template match(self, bytes frame):
        """Return the template that matches, with its fields in the slots; the likely one is tried first."""
        cdef Py_ssize_t index, size = PyBytes_GET_SIZE(frame)
        cdef Template template
        cdef const char* start = PyBytes_AS_STRING(frame)
        cdef const char* end = start + size
        cdef PyObject** guess = NULL
        if size >= GUESS_AT + GUESS_BYTES and PyList_GET_SIZE(self.templates) > 1:
            guess = &self.guesses[hash_of(start + GUESS_AT, GUESS_BYTES) & <uint64_t> (GUESSES - 1)]
            # `templates` keeps them alive
            if guess[0] != NULL and self.matches(<Template> guess[0], start, end):
                return <Template> guess[0]
        for index in range(PyList_GET_SIZE(self.templates)):
            template = <Template> PyList_GET_ITEM(self.templates, index)
            if self.matches(template, start, end):
                if guess != NULL:
                    guess[0] = <PyObject*> template
                return template
        return None

    cdef bint matches(self, Template template, const char* at, const char* end) except -1:
        cdef int row
        at = self.match_steps(template, 0, template.head_end, self.slots, at, end)
        if at == NULL:
            return False
        self.rows = 1
        if template.has_rows:
            row = 0
            while True:
                if row == template.rows_max or (row and template.level_lists):
                    return False
                at = self.match_steps(template, template.head_end, template.row_end, self.slots_of(1, row), at, end)
                if at == NULL:
                    return False
                row += 1
                if at < end and at[0] == c',':
                    at += 1
                    continue
                break
            self.rows = row
        at = self.match_steps(template, template.row_end, template.step_count, self.slots, at, end)
        return at == end

    cdef const char* match_steps(
        self, Template template, int first, int last, Slot* slots, const char* at, const char* end
    ) except? NULL:
        """Match steps `first` to `last`; return where the rest of the frame begins, NULL where it does not match."""
        cdef MatchStep* step = template.steps + first
        cdef MatchStep* final = template.steps + last
        cdef const char* start
        cdef int64_t value
        cdef bint nonzero, dotted
        cdef int choice
        cdef Piece* piece = NULL
        cdef Slot* key_slots
        cdef Stream* stream
        while step < final:
            if step.code == LITERAL:
                if end - at < step.size or memcmp(at, step.text, step.size) != 0:
                    return NULL
                at += step.size
            elif step.code == INTEGER:
                start = at
                value = 0
                while at < end and is_digit(at[0]):
                    value = value * 10 + (at[0] - c'0')
                    at += 1
                    if at - start > 18:
                        return NULL
                if at == start or (start[0] == c'0' and at - start > 1) or value > step.bound or value < step.other:
                    return NULL
                slots[step.slot].start = start
                slots[step.slot].size = at - start
                slots[step.slot].value = value
            elif step.code == DECIMAL or step.code == NONZERO:
                start = at
                nonzero = dotted = False
                while at < end:
                    if is_digit(at[0]):
                        if at[0] != c'0':
                            nonzero = True
                    elif at[0] == c'.' and not dotted and at > start:
                        dotted = True
                    else:
                        break
                    at += 1
                if at == start or at - start > NUMBER_CHARS_MAX or (at - 1)[0] == c'.' or (step.code == NONZERO and not nonzero):
                    return NULL
                if step.bound and start[0] == c'0' and at - start > 1 and start[1] != c'.':
                    return NULL  # no JSON number
                slots[step.slot].start = start
                slots[step.slot].size = at - start
            elif step.code == TEXT:
                start = at
                while at < end and is_plain(at[0]):
                    at += 1
                slots[step.slot].start = start
                slots[step.slot].size = at - start
            elif step.code == KEY:
                start = at
                while at < end and is_plain(at[0]):
                    at += 1
                value = template.streams.find(start, at - start)
                if value < 0:
                    return NULL
                slots[step.slot].value = value
            elif step.code == CHOICE:
                choice = 0
                while choice < step.choices:
                    piece = template.pieces + step.first_choice + choice
                    if end - at > piece.size and memcmp(at, piece.text, piece.size) == 0:
                        start = at + piece.size
                        # a value ends where the frame goes on with a quotation mark, comma, bracket or brace
                        if start[0] == c'"' or start[0] == c',' or start[0] == c']' or start[0] == c'}':
                            break
                    choice += 1
                if choice == step.choices:
                    return NULL
                at += piece.size
                slots[step.slot].value = choice
            elif step.code == LEVELS:
                at = self.match_levels(step, at, end)
                if at == NULL:
                    return NULL
            elif step.code == SYMBOL:
                key_slots = slots if template.key_in_row else self.slots_of(0, 0)
                stream = &template.streams.streams[key_slots[template.key_slot].value]
                if end - at <= stream.symbol_text_size or at[stream.symbol_text_size] != c'"':
                    return NULL
                if memcmp(at, stream.symbol_text, stream.symbol_text_size) != 0:
                    return NULL
                at += stream.symbol_text_size
            elif step.code == SKIP_STRING:
                while at < end and is_plain(at[0]):
                    at += 1
            elif step.code == SKIP_NUMBER:
                at = skip_number(at, end)
                if at == NULL:
                    return NULL
            elif step.code == SKIP_WORD:
                if end - at >= 4 and (memcmp(at, b"true", 4) == 0 or memcmp(at, b"null", 4) == 0):
                    at += 4
                elif end - at >= 5 and memcmp(at, b"false", 5) == 0:
                    at += 5
                else:
                    return NULL
            elif step.code == SAME:
                if slots[step.slot].size != slots[step.other].size:
                    return NULL
                if memcmp(slots[step.slot].start, slots[step.other].start, slots[step.slot].size) != 0:
                    return NULL
            else:
                return NULL
            step += 1
        return at

    cdef const char* match_levels(self, MatchStep* step, const char* at, const char* end) except? NULL:
        """Read ``[["price","size"],...]``, with further scalars in each level where `other` says so."""
        cdef Buffer* out = &self.levels[step.slot].text
        cdef const char* start
        cdef char* put
        cdef Py_ssize_t count = 0, size
        cdef int part
        cdef bint quoted, dotted
        cdef char head[8]
        cdef char* head_end
        out.size = 0
        # as msgpack a level has at most two bytes more than as JSON, where it has five at least
        reserve(out, 2 * (end - at) + 16)
        out.size = 8  # room for the head, which is written when the count is known
        if end - at < 2 or at[0] != c'[':
            return NULL
        at += 1
        if at[0] == c']':
            at += 1
        else:
            while True:
                if end - at < 2 or at[0] != c'[':
                    return NULL
                at += 1
                out.data[out.size] = <char> 0x92
                out.size += 1
                for part in range(2):
                    if part:
                        if at >= end or at[0] != c',':
                            return NULL
                        at += 1
                    quoted = at < end and at[0] == c'"'
                    if quoted:
                        at += 1
                    elif not step.bound:
                        return NULL
                    start = at
                    dotted = False
                    while at < end and (is_digit(at[0]) or (at[0] == c'.' and not dotted and at > start)):
                        dotted |= at[0] == c'.'
                        at += 1
                    if at >= end or at == start or at - start > NUMBER_CHARS_MAX or (at - 1)[0] == c'.':
                        return NULL
                    size = at - start
                    if quoted:
                        if at[0] != c'"':
                            return NULL
                        at += 1
                    elif start[0] == c'0' and size > 1 and start[1] != c'.':
                        return NULL
                    put = put_text_head(out.data + out.size, size)
                    memcpy(put, start, size)
                    out.size = put + size - out.data
                while step.other and at < end and at[0] == c',':
                    at += 1
                    if at < end and at[0] == c'"':
                        at += 1
                        while at < end and is_plain(at[0]):
                            at += 1
                        if at >= end or at[0] != c'"':
                            return NULL
                        at += 1
                    else:
                        at = skip_number(at, end)
                        if at == NULL:
                            return NULL
                if end - at < 2 or at[0] != c']':
                    return NULL
                at += 1
                count += 1
                if at[0] == c',':
                    at += 1
                    continue
                if at[0] != c']':
                    return NULL
                at += 1
                break
        head_end = put_array_head(head, count)
        size = head_end - head
        # the list begins in the room before it: `put_levels` copies from there
        memcpy(out.data + 8 - size, head, size)
        self.levels[step.slot].begin = 8 - size
        self.levels[step.slot].count = count
        return at

    cdef object chain_of(self, Template template):
        """Return the book that an update continues; None for a stream without one; False where Python must decide."""
        cdef StreamTable streams = template.streams
        cdef BookChain chain
        cdef Slot* slots
        cdef int64_t stream, last
        cdef int index, overflow
        if not streams.is_chained:
            return None
        if self.rows != 1:
            return False
        slots = self.slots_of(template.key_in_row, 0)
        stream = slots[template.key_slot].value
        found = streams.chains[stream]
        if found is None:
            return False
        chain = <BookChain> found
        if not chain.steady or chain.last is None or chain.in_order == self.in_order_max - 1:
            return False
        if not chain.check_ns - CHECK_NS <= self.receive_ns < chain.check_ns:
            return False
        slots = self.slots_of(template.id_in_row, 0)
        last = PyLong_AsLongLongAndOverflow(chain.last, &overflow)
        if overflow or slots[template.first_slot].value != last + chain.step:
            return False
        if slots[template.last_slot].value < slots[template.first_slot].value:
            return False
        for index in range(template.level_lists):
            if self.levels[index].count:
                return chain
        return False

    cdef bint emit(self, Template template, receive_ns) except -1:
        """Append the events of the frame just matched; False where Python must decide."""
        cdef BatchBuilder builder = self.builder
        cdef StreamTable streams = template.streams
        cdef Stream* stream
        cdef BookChain chain
        cdef Slot* key_slots
        cdef Slot* id_slots
        cdef int row
        cdef int64_t index, first, last
        cdef Py_ssize_t begin = builder.body.size
        found = self.chain_of(template)
        if found is False:
            return False
        for row in range(self.rows):
            key_slots = self.slots_of(template.key_in_row, row)
            index = key_slots[template.key_slot].value
            stream = &streams.streams[index]
            if stream.number < 0:
                stream.number = builder.number_of(streams.tag, streams.exchange, streams.symbols[index])
            if stream.seen != self.turn:
                stream.seen = self.turn
                PyDict_SetItem(self.last_data_ns, streams.wires[index], receive_ns)
            self.write(template, row, &builder.body)
            first = last = -1
            if template.identifiers != IDS_NONE:
                id_slots = self.slots_of(template.id_in_row, row)
                first = identifier(id_slots[template.first_slot].start, id_slots[template.first_slot].size)
                last = first
                if template.identifiers == IDS_TWO:
                    last = identifier(id_slots[template.last_slot].start, id_slots[template.last_slot].size)
            builder.note(stream.number, first, last, template.identifiers == IDS_TWO)
        if found is not None:
            chain = <BookChain> found
            slots = self.slots_of(template.id_in_row, 0)
            chain.last = chain.newest = slots[template.last_slot].value
            chain.last_ns = receive_ns
            chain.in_order += 1
            chain.merge(builder.body.data + begin)
        self.events_total += self.rows
        return True

    cdef int write(self, Template template, int row, Buffer* out) except -1:
        """Write one event."""
        cdef WriteStep* step = template.writes
        cdef WriteStep* final = template.writes + template.write_count
        cdef Slot* slot
        cdef Slot* key_slots = self.slots_of(template.key_in_row, row)
        cdef Stream* stream = &template.streams.streams[key_slots[template.key_slot].value]
        cdef Piece* piece
        cdef Buffer* text
        cdef char* at
        cdef Py_ssize_t start
        reserve(out, template.fixed_size + stream.symbol_size + 64)
        while step < final:
            at = out.data + out.size
            if step.code == PUT_BYTES:
                memcpy(at, step.text, step.size)
                out.size += step.size
            elif step.code == PUT_SYMBOL:
                memcpy(at, stream.symbol, stream.symbol_size)
                out.size += stream.symbol_size
            elif step.code == PUT_RECEIVE_TIME:
                memcpy(at, self.receive_text, self.receive_size)
                out.size += self.receive_size
            elif step.code == PUT_LEVELS:
                text = &self.levels[step.slot].text
                start = self.levels[step.slot].begin
                reserve(out, text.size - start + template.fixed_size + stream.symbol_size + 64)
                memcpy(out.data + out.size, text.data + start, text.size - start)
                out.size += text.size - start
            else:
                slot = self.slots_of(step.in_row, row) + step.slot
                if step.code == PUT_TEXT:
                    reserve(out, slot.size + template.fixed_size + stream.symbol_size + 64)
                    at = put_text_head(out.data + out.size, slot.size)
                    memcpy(at, slot.start, slot.size)
                    out.size = at + slot.size - out.data
                elif step.code == PUT_INTEGER:
                    out.size = put_unsigned(at, <uint64_t> (slot.value * step.scale)) - out.data
                else:
                    piece = template.pieces + step.first_choice + slot.value
                    memcpy(at, piece.text, piece.size)
                    out.size += piece.size
            step += 1
        return 0


cdef inline const char* skip_number(const char* at, const char* end) noexcept nogil:
    """Return where a plain JSON number ends; NULL where none begins, or where it has an exponent."""
    cdef const char* start
    if at < end and at[0] == c'-':
        at += 1
    start = at
    while at < end and is_digit(at[0]):
        at += 1
    if at == start or (start[0] == c'0' and at - start > 1):
        return NULL
    if at < end and at[0] == c'.':
        at += 1
        start = at
        while at < end and is_digit(at[0]):
            at += 1
        if at == start:
            return NULL
    return at
