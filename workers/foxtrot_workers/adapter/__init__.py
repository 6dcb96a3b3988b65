"""The seam between venues and the worker: what an exchange adapter implements and answers."""
