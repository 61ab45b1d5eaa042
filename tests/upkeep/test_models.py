"""A second model is filled beside the first, and search moves over in one step."""

from __future__ import annotations

import pytest

from tasks.errors import Fatal
from tasks.ingest.embed import serving_model
from tasks.upkeep.models import activate, estimate, lacking_texts, models
from tests.book import Book

TIDES = (
    "# Tides\n\nThe spring tide follows the new moon.\n\n# Wind\n\nThe trade wind blows steady.\n"
)
SECOND = "insert into embeddings (model_id, sha256, embedding) values (%s, %s, '[1,0]')"


def test_a_model_is_activated_only_when_it_covers_every_readable_text(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    with book.connect() as connection:
        (second,) = connection.execute("select openbook.add_model('b', 2, 512)").fetchone() or (0,)
        assert estimate(connection, "b", 2.0).texts == 2
        for sha256s in lacking_texts(connection, second, size=1):
            with pytest.raises(Fatal, match="lacks"):
                activate(connection, "b")
            connection.execute(SECOND, [second, sha256s[0]])
        activate(connection, "b")
        assert [(model.name, model.serving, model.covered) for model in models(connection)] == [
            ("hashing-256", False, 2),
            ("b", True, 2),
        ]
        activate(connection, "hashing-256")
        assert [model.serving for model in models(connection)] == [True, False]


def test_an_unknown_model_cannot_be_activated(book: Book) -> None:
    with book.connect() as connection, pytest.raises(Fatal, match="there is no model x"):
        activate(connection, "x")


def test_ingestion_refuses_another_model_than_the_one_that_search_uses(book: Book) -> None:
    with book.connect() as connection:
        connection.execute("select openbook.add_model('another', 2, 512)")
        connection.commit()
        from tasks.embedders.hashing import HashingEmbedder

        with pytest.raises(Fatal, match="Search uses the model another"):
            serving_model(connection, HashingEmbedder())
