"""How well search answers test collections: keyword, dense and hybrid, beside published baselines.

    python -m tests.bench.bench_search [FOLDER ...] [--embedder minilm] [--cache FOLDER]

Each FOLDER holds a collection in the BEIR layout; without one, those of `../shared/data/beir` that
have a baseline. Its entries become the documents of a fresh database: cut, embedded and published
as files are. A document ranks as its best chunk among the first 100 hits. `rank` fuses the same two
lists by their ranks alone. Vectors are kept in the cache folder from run to run.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

import numpy as np
import psycopg
from pgvector import HalfVector
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from tasks.database import connect, dsn, migrate, stop
from tasks.embedders import Embedder, open_embedder
from tasks.ingest.chunk import chunk
from tasks.ingest.embed import Purchase, embed, missing_texts, serving_model
from tasks.ingest.publish import index, publish
from tasks.ingest.store import ContentKey, Reading, known_contents, store
from tasks.records import Document, Element, Usage
from tasks.settings import Settings
from tests.bench import beir

BASELINES = {
    "cranfield": (".403", ".428", ".464"),
    "pgdocs-index": (".710", ".434", ".695"),
    "codebase-contextual": (".605", ".583", ".685"),
    "cosqa-dev": (".32", ".59", ".48"),
    "2wikimultihop-dev": (".728", ".652", ".733"),
    "xquad-en": (".965", ".943", ".968"),
}
"""nDCG@10 over whole entries of Lucene's BM25, all-MiniLM-L6-v2, and both fused by their ranks."""

LANGUAGES = {"de": "german", "es": "spanish"}
MODES = ("keyword", "dense", "hybrid")
HITS = 100
BATCH = 500

Ranking = list[str]


def fresh_database(server: Settings, name: str) -> Connection:
    """A connection to a new, migrated database of that name."""
    with psycopg.connect(dsn(server), autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(name)))
    settings = replace(server, database_url=make_conninfo(dsn(server), dbname=name))
    migrate(settings)
    return connect(settings)


def load(connection: Connection, folder: Path, embedder: Embedder, cache: Path) -> None:
    """Make the collection's entries current documents, one each, with chunks and vectors."""
    language = LANGUAGES.get(folder.name.rpartition("-")[2], "english")
    source, run = _register(connection, folder.name, language)
    model = serving_model(connection, embedder)
    entries = list(beir.corpus(folder))
    contents: list[int] = []
    for start in range(0, len(entries), BATCH):
        batch = entries[start : start + BATCH]
        readings = [_read(entry, embedder) for entry in batch]
        with connection.transaction():
            store(connection, source, readings)
        known = known_contents(connection, source, [reading.key for reading in readings])
        ids = [known[reading.key] for reading in readings]
        documents = [_document(connection, source, entry.id) for entry in batch]
        connection.commit()
        publish(connection, run, list(zip(documents, ids, strict=True)), [], Purchase(0, Usage()))
        contents += ids
    _restore(connection, model, embedder, cache)
    embed(connection, embedder, model, missing_texts(connection, model, contents))
    _keep(connection, model, embedder, cache)
    connection.commit()
    connection.autocommit = True
    index(connection, model)
    connection.execute("vacuum analyze")


def _register(connection: Connection, name: str, language: str) -> tuple[int, int]:
    (source,) = connection.execute(
        "insert into sources (collection_id, name, root, language)"
        " select id, %s, %s, %s from collections returning id",
        [name, f"/{name}", language],
    ).fetchone() or (0,)
    (run,) = connection.execute(
        "insert into runs (source_id) values (%s) returning id", [source]
    ).fetchone() or (0,)
    return source, run


def _read(entry: beir.Entry, embedder: Embedder) -> Reading:
    paragraphs = [part for part in re.split(r"\n\s*\n", entry.text) if part.strip()]
    document = Document(
        "txt", entry.title or None, tuple(Element(part, "NarrativeText") for part in paragraphs)
    )
    identity = hashlib.sha256(f"{entry.title}\n{entry.text}".encode()).digest()
    return Reading(
        ContentKey(identity, "txt", "bench"), document, chunk(document, embedder.tokenizer, 256)
    )


def _document(connection: Connection, source: int, path: str) -> int:
    (document,) = connection.execute(
        "insert into documents (source_id, path) values (%s, %s) returning id", [source, path]
    ).fetchone() or (0,)
    return int(document)


def _restore(connection: Connection, model: int, embedder: Embedder, cache: Path) -> None:
    kept = cache / f"{embedder.name}.npz"
    if not kept.exists():
        return
    with np.load(kept) as arrays:
        vectors = {key.tobytes(): row for key, row in zip(*arrays.values(), strict=True)}
    rows = connection.execute("select distinct sha256 from passages").fetchall()
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into embeddings (model_id, sha256, embedding) values (%s, %s, %s)",
            [
                (model, sha256, HalfVector(vectors[bytes(sha256)]))
                for (sha256,) in rows
                if bytes(sha256) in vectors
            ],
        )


def _keep(connection: Connection, model: int, embedder: Embedder, cache: Path) -> None:
    rows = connection.execute("select sha256, embedding from embeddings").fetchall()
    vectors = {bytes(sha256): vector.to_numpy() for sha256, vector in rows}
    path = cache / f"{embedder.name}.npz"
    if path.exists():
        with np.load(path) as arrays:
            old = {key.tobytes(): row for key, row in zip(*arrays.values(), strict=True)}
        vectors = old | vectors
    keys = np.array([np.frombuffer(key, np.uint8) for key in vectors])
    np.savez(path, keys=keys, rows=np.array(list(vectors.values()), np.float16))


def answer(
    connection: Connection, query: str, mode: str, vector: HalfVector
) -> tuple[list[Any], float]:
    """The (path, keyword rank, dense rank) of each hit, and the milliseconds that it took."""
    started = time.perf_counter()
    hits = connection.execute(
        "select path, keyword_rank, dense_rank from openbook.search("
        " %s, k => %s, mode => %s, embedding => %s)",
        [query, HITS, mode, vector],
    ).fetchall()
    return hits, (time.perf_counter() - started) * 1000


def by_rank(hits: Sequence[Any]) -> Ranking:
    """The same lists fused by reciprocal rank alone."""
    scores: dict[str, float] = defaultdict(float)
    for path, keyword, dense in hits:
        score = sum(1 / (60 + rank) for rank in (keyword, dense) if rank)
        scores[path] = max(scores[path], score)
    return sorted(scores, key=lambda path: -scores[path])


def measure(connection: Connection, folder: Path, embedder: Embedder) -> None:
    """Print the collection's rows of the table."""
    grades = beir.judgements(folder)
    queries = beir.queries(folder)
    vectors = [
        HalfVector(vector)
        for start in range(0, len(queries), 64)
        for vector in embedder.embed([query.text for query in queries[start : start + 64]])
    ]

    def row(mode: str, baseline: str, rankings: Sequence[Ranking], latency: str = "") -> None:
        pairs = [(found, grades[query.id]) for query, found in zip(queries, rankings, strict=True)]
        gain = mean(beir.ndcg(found, grade) for found, grade in pairs)
        share = mean(beir.recall(found, grade) for found, grade in pairs)
        print(f"{folder.name:22} {mode:8} {gain:8.4f} {share:10.4f} {baseline:>9} {latency}")

    for mode, baseline in zip(MODES, BASELINES.get(folder.name, ("",) * 3), strict=True):
        answers = [
            answer(connection, query.text, mode, vector)
            for query, vector in zip(queries, vectors, strict=True)
        ]
        cuts = quantiles([milliseconds for _, milliseconds in answers], n=20)
        rankings = [list(dict.fromkeys(path for path, _, _ in hits)) for hits, _ in answers]
        row(mode, baseline, rankings, f"{cuts[9]:8.1f} {cuts[18]:8.1f}")
    row("rank", "", [by_rank(hits) for hits, _ in answers])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--embedder", default="minilm", help="default: minilm")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "openbook-bench",
        help="where vectors are kept; default: openbook-bench in the folder for temporary files",
    )
    given = parser.parse_args()
    folders = given.folders or [beir.SHARED / name for name in BASELINES]
    folders = [folder for folder in folders if folder.is_dir()]
    if not folders:
        print("No test collection: ../shared/data/beir is not there, and no FOLDER was named.")
        return
    given.cache.mkdir(parents=True, exist_ok=True)
    given.cache.chmod(0o711)
    with tempfile.TemporaryDirectory(prefix="openbook-bench-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o711)
        server = Settings(home=Path(home), embedder=given.embedder)
        connect(server).close()
        embedder = open_embedder(replace(server, home=given.cache))
        try:
            print(f"{os.cpu_count()} cores, {embedder.name}; latencies of {HITS} hits, in ms")
            print("collection             mode      nDCG@10  recall@10  baseline      p50      p95")
            for folder in folders:
                with closing(fresh_database(server, folder.name)) as connection:
                    load(connection, folder, embedder, given.cache)
                    measure(connection, folder, embedder)
        finally:
            stop(server)


if __name__ == "__main__":
    main()
