"""The supervision state machine and its parts: pure decisions, without clock, socket, file or logger."""
