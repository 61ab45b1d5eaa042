"""A book of any size, made of real sentences and written as publishing writes it.

The texts are runs of sentences of `../shared/data/beir` put together anew, or made-up words where
that is not there; 20 chunks a document. tests/bench/word_vectors.py says what their vectors are.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pgvector import HalfVector
from psycopg import Connection

from tests.bench import beir
from tests.bench.word_vectors import WordVectors

PER_DOCUMENT = 20
DOCUMENTS_A_BATCH = 250
SETS = (
    "pgdocs-index", "cranfield", "2wikimultihop-dev", "codebase-contextual", "xquad-en",
    "cosqa-dev", "docugami-sec10q-docs", "locomo-dev", "qmsum-turns-dev",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Growth:
    """Seconds that it took to make the book larger: writing, sealing blocks, the HNSW index."""

    written: float
    sealed: float
    indexed: float


def sentences() -> tuple[list[str], list[str]]:
    """Sentences to make chunks of, in their order, and queries about them."""
    folders = [beir.SHARED / name for name in SETS if (beir.SHARED / name).is_dir()]
    if folders:
        texts = [entry.text for folder in folders for entry in beir.corpus(folder)]
        parts = [part for text in texts for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part]
        queries = [query.text for folder in folders[:5] for query in beir.queries(folder)]
        return parts, queries
    print("../shared/data/beir is not there: made-up words")
    chooser = random.Random(1)
    words = [f"{a}{b}{c}a" for a in "bdfgklmnprstvz" for b in "aeiou" for c in "bdgklmnrst"]
    weights = [1 / (place + 2) for place in range(len(words))]
    parts = [" ".join(chooser.choices(words, weights, k=15)) for _ in range(20_000)]
    return parts, [" ".join(chooser.choices(words, k=4)) for _ in range(500)]


def bodies(parts: Sequence[str], seed: int) -> Iterator[str]:
    """Texts of about 200 tokens without end: runs of neighbouring sentences, put together anew."""
    chooser = random.Random(seed)
    while True:
        text, length = "", chooser.lognormvariate(6.6, 0.4)
        while len(text) < length:
            start = chooser.randrange(len(parts))
            text += "\n".join(parts[start : start + chooser.randint(1, 4)]) + "\n"
        yield text[:1500]


def chunks(connection: Connection) -> int:
    """How many chunks there are."""
    return int((connection.execute("select count(*) from chunks").fetchone() or (0,))[0])


def grow(connection: Connection, parts: Sequence[str], size: int, embedder: WordVectors) -> Growth:
    """Publish documents until there are so many chunks, and index them."""
    model = _prepare(connection)
    have = chunks(connection)
    texts = bodies(parts, have)
    written = sealed = 0.0
    if have < size:
        connection.execute(f"drop index if exists embeddings_{model}_hnsw")
    while have < size:
        started = time.perf_counter()
        batch = [next(texts) for _ in range(min(size - have, DOCUMENTS_A_BATCH * PER_DOCUMENT))]
        with connection.transaction():
            publish(connection, model, have, batch, embedder)
        have += len(batch)
        published = time.perf_counter()
        seal(connection)
        written += published - started
        sealed += time.perf_counter() - published
    started = time.perf_counter()
    connection.execute("select openbook.index_embeddings(%s)", [model])
    indexed = time.perf_counter() - started
    connection.execute("vacuum analyze")
    return Growth(written, sealed, indexed)


def seal(connection: Connection, least: int = 256) -> None:
    """Move what was published into blocks."""
    while connection.execute("select openbook.seal_blocks(%s)", [least]).fetchone() not in (
        None,
        (0,),
    ):
        pass


def _prepare(connection: Connection) -> int:
    connection.execute(
        "insert into sources (collection_id, name, root) values (1, 'b', '/b')"
        " on conflict do nothing"
    )
    connection.execute("insert into runs (source_id) select 1 where not exists (select from runs)")
    (model,) = connection.execute(
        "select openbook.add_model('words-384', %s, 256)", [WordVectors.dimensions]
    ).fetchone() or (0,)
    return int(model)


def publish(
    connection: Connection, model: int, offset: int, texts: Sequence[str], embedder: WordVectors
) -> None:
    """Make the texts current chunks of new documents; `offset` numbers the first."""
    connection.execute(
        "create temp table fresh (place bigint, body text, sha256 bytea generated always as"
        " (sha256(body::bytea)) stored, embedding halfvec) on commit drop"
    )
    with (
        connection.cursor() as cursor,
        cursor.copy("copy fresh (place, body, embedding) from stdin (format binary)") as copy,
    ):
        copy.set_types(["bigint", "text", "halfvec"])
        for place, (text, vector) in enumerate(zip(texts, embedder.embed(texts), strict=True)):
            # A backslash would escape in the cast to bytes.
            copy.write_row((offset + place, text.replace("\\", "/"), HalfVector(vector)))
    connection.execute(
        "insert into passages (collection_id, language, sha256, body, tokens, lexemes)"
        " select 1, 'english', sha256, body, 200, openbook.lexemes('english', body) from fresh"
        " on conflict do nothing"
    )
    connection.execute(
        "insert into embeddings (model_id, sha256, embedding)"
        " select %s, sha256, embedding from fresh on conflict do nothing",
        [model],
    )
    connection.execute(
        "with numbers as (select distinct place / %(each)s as number from fresh), content as ("
        " insert into contents (collection_id, language, sha256, format, recipe, text, metadata,"
        "  chunks)"
        " select 1, 'english', number::text::bytea, 'txt', 'bench', '', jsonb_build_object("
        "  'tenth', number %% 10, 'hundredth', number %% 100, 'rare', number %% 10000),"
        "  %(each)s from numbers"
        " returning id, convert_from(sha256, 'UTF8')::bigint as number"
        "), chunked as ("
        " insert into chunks (content_id, ordinal, passage_id, starts_at, ends_at)"
        " select c.id, f.place %% %(each)s, p.id, 0, 0 from fresh f"
        " join content c on c.number = f.place / %(each)s join passages p on p.sha256 = f.sha256"
        "), document as ("
        " insert into documents (source_id, path) select 1, number || '.txt' from content"
        " returning id, path"
        ") insert into versions (document_id, content_id, run_id)"
        " select d.id, c.id, 1 from document d join content c on d.path = c.number || '.txt'",
        {"each": PER_DOCUMENT},
    )
    connection.execute(
        "update documents d set version_id = v.id, status = 'current'"
        " from versions v where v.document_id = d.id and d.version_id is null"
    )
