"""Indexes are watched, built anew when they are broken or bloated, and dropped when retired."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import psycopg
import pytest

from tasks.database import connect
from tasks.errors import Fatal
from tasks.settings import Settings
from tasks.upkeep.indexes import (
    IndexHealth,
    drop_model,
    drop_retired,
    index_health,
    keyword_index,
    rebuild_indexes,
)
from tests.book import Book

LEAST = 100_000
LATER = timedelta(days=90)


def health(connection: psycopg.Connection, name: str) -> IndexHealth:
    return next(index for index in index_health(connection) if index.name == name)


def fill(connection: psycopg.Connection, rows: int) -> None:
    """Remember so many queries, under a model of two dimensions."""
    connection.execute("select openbook.add_model('two', 2, 512)")
    connection.execute(
        "insert into embeddings (model_id, sha256, embedding)"
        " select 1, sha256(n::text::bytea), format('[%%s,1]', n)::halfvec"
        " from generate_series(1, %s) n",
        [rows],
    )
    connection.execute("vacuum analyze embeddings_1")


def test_a_fresh_index_has_about_the_size_that_it_needs(database: Settings) -> None:
    with closing(connect(database, autocommit=True)) as connection:
        fill(connection, 5000)
        connection.execute("select openbook.index_embeddings(1, 1)")
        for name in ("embeddings_1_pkey", "embeddings_1_hnsw"):
            index = health(connection, name)
            assert index.rows == 5000
            assert index.bloat == pytest.approx(1.0, abs=0.5), name


def test_a_bloated_index_is_built_anew_and_others_are_left_alone(database: Settings) -> None:
    with closing(connect(database, autocommit=True)) as connection:
        fill(connection, 20_000)
        assert rebuild_indexes(connection, LEAST) == []
        connection.execute("delete from embeddings where abs(hashtext(sha256::text)) % 50 > 0")
        connection.execute("vacuum analyze embeddings_1")
        assert rebuild_indexes(connection) == [], "too small to be worth it"
        assert rebuild_indexes(connection, LEAST) == ["embeddings_1_pkey"]
        assert rebuild_indexes(connection, LEAST) == []


def test_an_invalid_index_is_built_anew_and_a_left_over_one_is_dropped(database: Settings) -> None:
    with closing(connect(database, autocommit=True)) as connection:
        connection.execute("create index chunks_passage_ccnew on chunks (passage_id)")
        connection.execute(
            "update pg_index set indisvalid = false where indexrelid = any"
            " ('{chunks_passage,chunks_passage_ccnew}'::regclass[])"
        )
        assert rebuild_indexes(connection) == ["chunks_passage"]
        assert health(connection, "chunks_passage").valid
        assert "chunks_passage_ccnew" not in [index.name for index in index_health(connection)]


def test_the_keyword_index_says_what_waits_and_what_was_struck_out(book: Book) -> None:
    book.write("tides.md", "# Tides\n\nThe spring tide.\n\n# Wind\n\nThe trade wind.\n")
    book.ingest()
    with book.connect() as connection:
        assert (keyword_index(connection).pending, keyword_index(connection).blocks) == (2, 0)
        connection.execute("select openbook.seal_blocks(1)")
        sealed = keyword_index(connection)
    assert (sealed.pending, sealed.blocks, sealed.passages, sealed.struck_out) == (0, 1, 2, 0)


def test_a_model_s_vectors_are_dropped_when_it_has_been_retired_for_long(book: Book) -> None:
    book.write("tides.md", "# Tides\n\nThe spring tide.\n")
    book.ingest()
    with closing(connect(book.settings, autocommit=True)) as connection:
        connection.execute("select openbook.add_model('b', 2, 512)")
        connection.execute("insert into embeddings select 2, sha256, '[0,1]' from passages")
        connection.execute("select openbook.activate_model('b')")
        assert drop_retired(connection, LATER) == {}
        connection.execute("update runs set started_at = now() - interval '91 days'")
        assert drop_retired(connection, LATER) == {"hashing-256": 1}
        assert drop_retired(connection, LATER) == {}
        assert connection.execute("select model_id from embeddings").fetchall() == [(2,)]


def test_a_model_that_was_filled_and_never_served_is_kept(book: Book) -> None:
    book.write("tides.md", "# Tides\n\nThe spring tide.\n")
    book.ingest()
    with closing(connect(book.settings, autocommit=True)) as connection:
        connection.execute("select openbook.add_model('b', 2, 512)")
        connection.execute("update runs set started_at = now() - interval '91 days'")
        assert drop_retired(connection, LATER) == {}


def test_a_serving_model_cannot_be_dropped_and_a_dropped_one_can_be_filled_again(
    book: Book,
) -> None:
    book.write("tides.md", "# Tides\n\nThe spring tide.\n")
    book.ingest()
    with book.connect() as connection:
        with pytest.raises(Fatal, match="search uses the model hashing-256"):
            drop_model(connection, "hashing-256")
        with pytest.raises(Fatal, match="there is no model x"):
            drop_model(connection, "x")
        connection.execute("select openbook.add_model('b', 2, 512)")
        connection.execute("insert into embeddings select 2, sha256, '[0,1]' from passages")
        assert drop_model(connection, "b") == 1
        connection.execute("select openbook.add_model('b', 2, 512)")
        connection.execute("insert into embeddings select 2, sha256, '[0,1]' from passages")
        assert drop_model(connection, "b") == 1
