"""One base class, so that one except clause catches all of them."""

from __future__ import annotations

from foxtrot_supervisor.embedding import errors as embedding_errors
from foxtrot_supervisor.embedding.errors import EmbeddingError


def test_all_exceptions_have_one_base_class() -> None:
    for name in embedding_errors.__all__:
        assert issubclass(getattr(embedding_errors, name), EmbeddingError)
