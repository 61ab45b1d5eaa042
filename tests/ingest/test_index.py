"""The vector index: built once a load is large enough to need it, and in memory."""

from __future__ import annotations

from contextlib import closing

import psycopg

from tasks.database import connect
from tasks.ingest.publish import index
from tasks.settings import Settings

LEAST_ROWS = 20_000


def load(connection: psycopg.Connection, first: int, last: int) -> None:
    """Store vectors of a model of two dimensions, whose id is 1."""
    connection.execute("select openbook.add_model('two', 2, 512)")
    connection.execute(
        "insert into embeddings (model_id, sha256, embedding)"
        " select 1, sha256(n::text::bytea), format('[%%s,1]', n)::halfvec"
        " from generate_series(%s::integer, %s) n",
        [first, last],
    )


def indexes(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute(
        "select indexdef from pg_indexes where tablename = 'embeddings_1' and indexdef ~ 'hnsw'"
    ).fetchall()
    return [definition for (definition,) in rows]


def test_a_load_that_crosses_the_threshold_leaves_an_index(database: Settings) -> None:
    with closing(connect(database, autocommit=True)) as connection:
        load(connection, 1, LEAST_ROWS - 1)
        index(connection, 1)
        assert indexes(connection) == []
        load(connection, LEAST_ROWS, LEAST_ROWS)
        index(connection, 1)
        assert len(indexes(connection)) == 1
        index(connection, 1)
        assert len(indexes(connection)) == 1


def test_an_index_is_built_in_memory_though_the_server_is_set_to_little(
    database: Settings,
) -> None:
    said: list[str | None] = []
    with closing(connect(database, autocommit=True)) as connection:
        load(connection, 1, 5000)
        connection.execute("set maintenance_work_mem = '1MB'")
        connection.add_notice_handler(lambda notice: said.append(notice.message_primary))
        connection.execute("select openbook.index_embeddings(1, 1)")
        assert len(indexes(connection)) == 1
        left = connection.execute("show maintenance_work_mem").fetchone()
    assert said == [], "the graph no longer fitted into memory"
    assert left == ("1MB",)


def test_memory_for_an_index_is_no_more_than_the_server_has(database: Settings) -> None:
    with closing(connect(database)) as connection:
        connection.execute("set effective_cache_size = '100MB'; set maintenance_work_mem = '1MB'")
        connection.execute("select openbook.allow_index_memory(1::bigint << 40)")
        assert connection.execute("show maintenance_work_mem").fetchone() == ("50MB",)
        connection.execute("select openbook.allow_index_memory(1024)")
        assert connection.execute("show maintenance_work_mem").fetchone() == ("50MB",)


def test_an_index_that_another_run_builds_is_left_to_it(database: Settings) -> None:
    with (
        closing(connect(database)) as builder,
        closing(connect(database, autocommit=True)) as other,
    ):
        load(builder, 1, 10)
        builder.commit()
        assert builder.execute("select openbook.index_embeddings(1, 1)").fetchone() == (True,)
        assert other.execute("select openbook.index_embeddings(1, 1)").fetchone() == (False,)
        builder.commit()
        assert len(indexes(other)) == 1
