"""The contract between foxtrot's processes: events, batches, control messages. Pure: no I/O, no clock."""

__version__ = "0.1.0"
