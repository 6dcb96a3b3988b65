"""Frames of each installed exchange, written after its documentation, for measuring its parser."""
