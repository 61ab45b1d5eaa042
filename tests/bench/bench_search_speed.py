"""How long a search takes as the book grows, beside pgvector alone, and what keyword upkeep costs.

    python -m tests.bench.bench_search_speed [--chunks 1000 10000 100000] [--explain]

The texts are sentences of `../shared/data/beir` in new combinations, or made-up words where that is
not there; 20 chunks a document, hashed embeddings, an HNSW index from 20,000 chunks. `bare` is the
k nearest texts by pgvector and nothing else. Filters leave a tenth, a hundredth, a ten thousandth
of the documents; `sees` are searches for those who may read that share of them.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import quantiles
from typing import Any

from pgvector import HalfVector
from psycopg import Connection
from psycopg.types.json import Jsonb

from tasks.database import connect, stop
from tasks.embedders.hashing import HashingEmbedder
from tasks.settings import Settings
from tests.bench import beir

PER_DOCUMENT = 20
DOCUMENTS_A_BATCH = 250
QUERIES = 100
K = 10
SETS = ("pgdocs-index", "cranfield", "2wikimultihop-dev", "codebase-contextual", "xquad-en")


def sentences() -> tuple[list[str], list[str]]:
    """Sentences to make chunks of, and queries about them."""
    folders = [beir.SHARED / name for name in SETS if (beir.SHARED / name).is_dir()]
    if folders:
        texts = [entry.text for folder in folders for entry in beir.corpus(folder)]
        parts = [part for text in texts for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part]
        queries = [query.text for folder in folders for query in beir.queries(folder)]
        return parts, queries
    print("../shared/data/beir is not there: made-up words")
    chooser = random.Random(1)
    words = [f"{a}{b}{c}a" for a in "bdfgklmnprstvz" for b in "aeiou" for c in "bdgklmnrst"]
    weights = [1 / (place + 2) for place in range(len(words))]
    parts = [" ".join(chooser.choices(words, weights, k=15)) for _ in range(20_000)]
    return parts, [" ".join(chooser.choices(words, k=4)) for _ in range(500)]


def bodies(parts: Sequence[str]) -> Iterator[str]:
    """Texts of about 200 tokens, without end."""
    chooser = random.Random(7)
    while True:
        text, length = "", chooser.lognormvariate(6.6, 0.4)
        while len(text) < length:
            text += chooser.choice(parts) + "\n"
        yield text[:1500]


def grow(connection: Connection, texts: Iterator[str], chunks: int) -> float:
    """Publish documents until there are so many chunks; the seconds that it took."""
    started = time.perf_counter()
    embedder = HashingEmbedder()
    (model,) = connection.execute(
        "select openbook.add_model(%s, %s, %s)",
        [embedder.name, embedder.dimensions, embedder.token_limit],
    ).fetchone() or (0,)
    (have,) = connection.execute("select count(*) from chunks").fetchone() or (0,)
    connection.execute("drop index if exists embeddings_1_hnsw")
    while have < chunks:
        batch = [next(texts) for _ in range(min(chunks - have, DOCUMENTS_A_BATCH * PER_DOCUMENT))]
        with connection.transaction():
            _publish(connection, model, have, batch, embedder.embed(batch))
        seal(connection)
        have += len(batch)
    connection.execute("select openbook.index_embeddings(%s)", [model])
    connection.execute("vacuum analyze")
    return time.perf_counter() - started


def _publish(
    connection: Connection, model: int, offset: int, texts: Sequence[str], vectors: Any
) -> None:
    connection.execute(
        "create temp table fresh (place bigint, body text, sha256 bytea generated always as"
        " (sha256(body::bytea)) stored, embedding halfvec) on commit drop"
    )
    with (
        connection.cursor() as cursor,
        cursor.copy("copy fresh (place, body, embedding) from stdin") as copy,
    ):
        for place, (text, vector) in enumerate(zip(texts, vectors, strict=True)):
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


def seal(connection: Connection) -> None:
    """Move what was published into blocks."""
    while connection.execute("select openbook.seal_blocks()").fetchone() not in (None, (0,)):
        pass


def timed(connection: Connection, statement: str, asked: Sequence[dict[str, Any]]) -> str:
    """p50 and p95 of the statement in ms, and the server's CPU ms a query, connection warm."""
    for parameters in asked[:10]:
        connection.execute(statement, parameters, prepare=True).fetchall()
    times = []
    before = _cpu(connection)
    for parameters in asked:
        started = time.perf_counter()
        connection.execute(statement, parameters, prepare=True).fetchall()
        times.append((time.perf_counter() - started) * 1000)
    cuts = quantiles(times, n=20)
    spent = (_cpu(connection) - before) / len(asked)
    return f"{cuts[9]:8.1f} {cuts[18]:8.1f} {spent:8.1f}"


def _cpu(connection: Connection) -> float:
    try:
        stat = Path(f"/proc/{connection.info.backend_pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) * 1000 / os.sysconf("SC_CLK_TCK")


SEARCH = "select * from openbook.search(%(query)s, k => %(k)s, mode => '{}', embedding => %(v)s{})"
STATEMENTS = {
    "bare": "select sha256 from embeddings_1 order by embedding::halfvec(256) <=> %(v)s limit 10",
    "bm25": "select * from openbook.bm25(1, %(query)s, %(k)s)",
    "keyword": SEARCH.format("keyword", ""),
    "dense": SEARCH.format("dense", ""),
    "hybrid": SEARCH.format("hybrid", ""),
    "hybrid, 10 %": SEARCH.format("hybrid", ", filter => %(tenth)s"),
    "hybrid, 1 %": SEARCH.format("hybrid", ", filter => %(hundredth)s"),
    "hybrid, 0.01 %": SEARCH.format("hybrid", ", filter => %(rare)s"),
}


READERS = {"sees 90 %": range(9), "sees 50 %": range(5), "sees 10 %": range(1)}


def as_readers(connection: Connection, asked: Sequence[dict[str, Any]]) -> None:
    """Print what rights cost: hybrid search for those who may read a share of the documents."""
    connection.execute("update documents set readers = array['group:' || id % 10]")
    connection.execute("vacuum analyze documents")
    for name, groups in READERS.items():
        with connection.transaction():
            principals = [f"group:{group}" for group in groups]
            connection.execute("select openbook.act_for(%s)", [principals])
            print(f"{name:16} {timed(connection, STATEMENTS['hybrid'], asked)}", flush=True)


def questions(queries: Sequence[str]) -> list[dict[str, Any]]:
    """Parameters of the statements."""
    chosen = random.Random(3).sample(list(queries), QUERIES)
    vectors = HashingEmbedder().embed(chosen)
    filters = {name: Jsonb({name: 7}) for name in ("tenth", "hundredth", "rare")}
    return [
        {"query": query, "v": HalfVector(vector), "k": K, **filters}
        for query, vector in zip(chosen, vectors, strict=True)
    ]


def upkeep(connection: Connection, texts: Iterator[str], report: Callable[[str], None]) -> None:
    """What an edit of 100 passages costs to publish and to seal."""
    (have,) = connection.execute("select count(*) from chunks").fetchone() or (0,)
    batch = [next(texts) for _ in range(100)]
    vectors = HashingEmbedder().embed(batch)
    for name, act in (
        ("publish 100", lambda: _publish(connection, 1, have, batch, vectors)),
        ("seal them", lambda: connection.execute("select openbook.seal_blocks(1)")),
    ):
        started = time.perf_counter()
        with connection.transaction():
            act()
        report(f"{name:16} {(time.perf_counter() - started) * 1000:8.1f}")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chunks", nargs="+", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--explain", action="store_true", help="print the plans of the last size")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="openbook-bench-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o711)
        settings = Settings(home=Path(home))
        parts, queries = sentences()
        texts, asked = bodies(parts), questions(queries)
        try:
            with closing(connect(settings, autocommit=True)) as connection:
                connection.execute(
                    "insert into sources (collection_id, name, root) values (1, 'b', '/b');"
                    "insert into runs (source_id) values (1)"
                )
                for chunks in sorted(given.chunks):
                    seconds = grow(connection, texts, chunks)
                    print(f"\n{chunks} chunks, grown in {seconds:.0f} s")
                    print(f"{'':16}      p50      p95   CPU ms")
                    for name, statement in STATEMENTS.items():
                        print(f"{name:16} {timed(connection, statement, asked)}", flush=True)
                    as_readers(connection, asked)
                    upkeep(connection, texts, print)
                if given.explain:
                    explain(connection, asked[0])
        finally:
            stop(settings)


def explain(connection: Connection, parameters: dict[str, Any]) -> None:
    """Print the plans of all statements inside a hybrid search."""
    connection.execute("load 'auto_explain'")
    for setting in ("log_min_duration = 0", "log_nested_statements = on", "log_analyze = on"):
        connection.execute(f"set auto_explain.{setting}")
    connection.execute("set client_min_messages = log")
    connection.add_notice_handler(lambda notice: print(notice.message_primary))
    connection.execute(STATEMENTS["hybrid"], parameters)


if __name__ == "__main__":
    main()
