"""One root, so that one except clause catches all of them."""

from __future__ import annotations

from foxtrot_supervisor.embedding import errors as embedding_errors
from foxtrot_supervisor.embedding.errors import EmbeddingError


def test_all_have_one_root() -> None:
    for name in embedding_errors.__all__:
        assert issubclass(getattr(embedding_errors, name), EmbeddingError)
