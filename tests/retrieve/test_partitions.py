"""How vectors and collections are divided: a partition a model, and a database a collection."""

from __future__ import annotations

from contextlib import closing

import pytest

from tasks.database import connect, migrate
from tasks.settings import Settings
from tests.retrieve.conftest import Shelf

TEXTS = {
    "a.md": "turn the shaft of a stored pump every four weeks",
    "b.md": "dry running ruins the seals of a pump",
    "c.md": "the warranty of pumps lasts two years",
    "d.md": "a pump that is stored is filled with oil",
}
OTHERS = {f"{n}.md": f"invoice {n} of a pump and its shaft, stored" for n in range(40)}


def fill(shelf: Shelf, collection: str, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        shelf.put(path, text, source=collection, collection=collection)


@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
def test_a_collection_answers_in_a_database_of_its_own_as_it_does_beside_others(
    shelf: Shelf, empty_database: Settings, mode: str
) -> None:
    fill(shelf, "ours", TEXTS)
    fill(shelf, "theirs", OTHERS)
    shelf.embed()
    shelf.seal()
    migrate(empty_database)

    def hits(of: Shelf) -> list[tuple[object, ...]]:
        vector = shelf.connection.execute(
            "select embedding from embeddings order by sha256 limit 1"
        ).fetchone()
        found = of.search(
            "stored pump shaft", collection="ours", mode=mode, k=3, embedding=vector and vector[0]
        )
        return [(h["path"], h["score"], h["keyword_rank"], h["dense_rank"]) for h in found]

    with closing(connect(empty_database, autocommit=True)) as connection:
        alone = Shelf(connection)
        fill(alone, "ours", TEXTS)
        alone.embed()
        alone.seal()

        assert len(hits(shelf)) == 3
        assert hits(alone) == hits(shelf)


def test_a_search_reads_the_partition_of_the_model_that_serves(shelf: Shelf) -> None:
    fill(shelf, "default", TEXTS)
    shelf.embed()
    (other,) = shelf.connection.execute(
        "select openbook.add_model('another', 3, 128)"
    ).fetchone() or (0,)
    shelf.connection.execute(
        "insert into embeddings (model_id, sha256, embedding) select %s, sha256, '[1,0,0]'"
        " from passages",
        [other],
    )

    def scans() -> dict[str, int]:
        shelf.connection.execute("select pg_stat_force_next_flush()")
        rows = shelf.connection.execute(
            "select relname, coalesce(seq_scan, 0) + coalesce(idx_scan, 0)"
            " from pg_stat_user_tables where relname ~ '^embeddings_[0-9]+$'"
        ).fetchall()
        return dict(rows)

    before = scans()
    vector = shelf.connection.execute(
        "select embedding from embeddings where model_id <> %s limit 1", [other]
    ).fetchone()
    assert shelf.paths("stored pump", mode="dense", embedding=vector and vector[0])
    after = scans()

    assert [name for name in after if after[name] > before[name]] == ["embeddings_1"]
