"""Bitstamp: books by REST snapshot and differences that have a time and no sequence."""
