"""Upbit: JSON in binary frames, full pictures of books; one request names all topics of a connection."""
