"""Learned frame templates: the compiled matcher copies what varies in a frame straight into the batch."""
