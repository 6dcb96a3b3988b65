"""The full-screen view of a run (`top`, and `start` on a terminal): needs textual, the extra ``top``."""
