"""The EventEngine: queue, dispatch, handlers and their owners."""
