"""Sinks: processes that hand every event on to a store or to other programs, each event once by its key."""
