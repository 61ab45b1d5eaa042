"""How long a search takes as the book grows to a million chunks, beside what its parts take alone.

    python -m tests.bench.bench_search_speed [--chunks 10000 100000 1000000] [--home FOLDER]
        [--plans] [--designs]

Growing to a million chunks takes about an hour and 12 GB; with --home the book is kept, and only
measured the next time. tests/bench/growth.py says what the texts and vectors are. `bare dense` is
the k nearest texts by pgvector's index and nothing else, `bare keyword` is openbook.bm25 alone.
Filters leave a tenth, a hundredth, a ten thousandth of the documents; `sees` are searches for those
who may read that share of them. --designs builds other ways to search words beside ours, over the
last size.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

from pgvector import HalfVector
from psycopg import Connection
from psycopg.types.json import Jsonb

from tasks.database import connect, stop
from tasks.settings import Settings
from tests.bench import growth
from tests.bench.word_vectors import WordVectors

QUERIES = 100
CLIENTS = 8
EXACT = 50
K = 10
Asked = dict[str, Any]

NEAREST = (
    "select sha256 from embeddings_1 e order by e.embedding::halfvec(384) <=> %(v)s limit %(k)s"
)
SEARCH = "select * from openbook.search(%(query)s, k => %(k)s, mode => '{}', embedding => %(v)s{})"
STATEMENTS = {
    "bare dense": NEAREST,
    "bare keyword": "select * from openbook.bm25(1, %(query)s, %(k)s)",
    "dense": SEARCH.format("dense", ""),
    "keyword": SEARCH.format("keyword", ""),
    "hybrid": SEARCH.format("hybrid", ""),
    "hybrid, 10 %": SEARCH.format("hybrid", ", filter => %(tenth)s"),
    "hybrid, 1 %": SEARCH.format("hybrid", ", filter => %(hundredth)s"),
    "hybrid, 0.01 %": SEARCH.format("hybrid", ", filter => %(rare)s"),
}
READERS = {"sees 90 %": range(9), "sees 50 %": range(5), "sees 10 %": range(1)}
DESIGNS = {
    "GIN, ts_rank": "select id, ts_rank(lexemes, q.either) from passages,"
    " (select string_agg(openbook.lexeme_query(l)::text, '|')::tsquery as either"
    "  from unnest(tsvector_to_array(openbook.lexemes('english', %(query)s))) l) q"
    " where lexemes @@ q.either order by 2 desc limit %(k)s",
    "postings table": "select p.passage_id, sum(p.weight * f.rarity) from bench_postings p"
    " join bench_frequencies f using (lexeme)"
    " where p.lexeme = any (tsvector_to_array(openbook.lexemes('english', %(query)s)))"
    " group by 1 order by 2 desc limit %(k)s",
    "ours": STATEMENTS["bare keyword"],
}
BUILD_DESIGNS = (
    "create index bench_gin on passages using gin (lexemes)",
    "create table bench_postings as select u.lexeme, p.id as passage_id,"
    " openbook.bm25_weight(cardinality(u.positions), p.length, s.average_length)::real as weight"
    " from passages p, unnest(p.lexemes) u, openbook.bm25_statistics(1) s",
    "create index on bench_postings (lexeme) include (passage_id, weight)",
    "create table bench_frequencies as select lexeme, openbook.bm25_rarity(s.passages, count(*))"
    " as rarity from bench_postings, openbook.bm25_statistics(1) s group by lexeme, s.passages",
    "create index on bench_frequencies (lexeme) include (rarity)",
    "vacuum analyze bench_postings, bench_frequencies, passages",
)
SIZES = {
    "passages": "openbook.passages",
    "vectors": "openbook.embeddings_1",
    "HNSW": "openbook.embeddings_1_hnsw",
    "BM25": "openbook.bm25_postings",
}


def questions(queries: Sequence[str], embedder: WordVectors) -> list[Asked]:
    """Parameters of the statements."""
    chosen = random.Random(3).sample(list(queries), QUERIES)
    filters = {name: Jsonb({name: 7}) for name in ("tenth", "hundredth", "rare")}
    return [
        {"query": query, "v": HalfVector(vector), "k": K, **filters}
        for query, vector in zip(chosen, embedder.embed(chosen), strict=True)
    ]


def timed(connection: Connection, statement: str, asked: Sequence[Asked]) -> list[float]:
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
    return [cuts[9], cuts[18], (_cpu(connection) - before) / len(asked)]


def _cpu(connection: Connection) -> float:
    try:
        stat = Path(f"/proc/{connection.info.backend_pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) * 1000 / os.sysconf("SC_CLK_TCK")


def measure(connection: Connection, asked: Sequence[Asked]) -> None:
    """Print what each statement takes, and hybrid as a multiple of the slower bare leg."""
    print(f"{'':16}      p50      p95   CPU ms")
    p50, cpu = {}, {}
    for name, statement in STATEMENTS.items():
        figures = timed(connection, statement, asked if "%" not in name else asked[:30])
        p50[name], _, cpu[name] = figures
        print(f"{name:16} " + " ".join(f"{figure:8.1f}" for figure in figures), flush=True)
    for unit, values in (("p50", p50), ("CPU", cpu)):
        slower = max(values["bare dense"], values["bare keyword"])
        print(f"hybrid / slower bare leg ({unit}): {values['hybrid'] / slower:.2f}")


def as_readers(connection: Connection, asked: Sequence[Asked]) -> None:
    """Print what rights cost: hybrid search for those who may read a share of the documents."""
    connection.execute("update documents set readers = array['group:' || id % 10]")
    connection.execute("vacuum analyze documents")
    for name, groups in READERS.items():
        with connection.transaction():
            principals = [f"group:{group}" for group in groups]
            connection.execute("select openbook.act_for(%s)", [principals])
            figures = timed(connection, STATEMENTS["hybrid"], asked[:30])
            print(f"{name:16} " + " ".join(f"{figure:8.1f}" for figure in figures), flush=True)


def recall(connection: Connection, asked: Sequence[Asked]) -> tuple[float, float]:
    """Recall@10 of pgvector's default and of dense search, against comparing every vector."""
    exact = "select sha256 from embeddings_1 e order by (e.embedding <=> %(v)s) + 0 limit %(k)s"
    ours = SEARCH.format("dense", "")
    found = []
    for parameters in asked[:EXACT]:
        best = {bytes(sha) for (sha,) in connection.execute(exact, parameters)}
        bare = {bytes(sha) for (sha,) in connection.execute(NEAREST, parameters)}
        hits = {
            bytes(sha)
            for (sha,) in connection.execute(
                f"select p.sha256 from ({ours}) h join chunks c on c.id = h.chunk_id"
                " join passages p on p.id = c.passage_id",
                parameters,
            )
        }
        found.append((len(best & bare) / K, len(best & hits) / K))
    return mean(pair[0] for pair in found), mean(pair[1] for pair in found)


def crowd(settings: Settings, asked: Sequence[Asked]) -> float:
    """Hybrid queries a second that so many clients get together."""

    def client(number: int) -> None:
        with closing(connect(settings, autocommit=True)) as connection:
            for parameters in [*asked[number:], *asked[:number]][:50]:
                connection.execute(STATEMENTS["hybrid"], parameters, prepare=True).fetchall()

    with ThreadPoolExecutor(CLIENTS) as pool:
        started = time.perf_counter()
        list(pool.map(client, range(CLIENTS)))
        return CLIENTS * 50 / (time.perf_counter() - started)


def upkeep(connection: Connection, parts: Sequence[str], embedder: WordVectors) -> Iterator[str]:
    """What an edit of 100 passages costs to publish and to seal."""
    have = growth.chunks(connection)
    batch = [text for text, _ in zip(growth.bodies(parts, have), range(100), strict=False)]
    for name, act in (
        ("publish 100", lambda: growth.publish(connection, 1, have, batch, embedder)),
        ("seal them", lambda: connection.execute("select openbook.seal_blocks(1)")),
    ):
        started = time.perf_counter()
        with connection.transaction():
            act()
        yield f"{name} {(time.perf_counter() - started) * 1000:.0f} ms"


def sizes(connection: Connection) -> str:
    """Megabytes of the tables and indexes that a search reads."""
    shown = [
        f"{name} {size[0] / 1e6:.0f} MB"
        for name, relation in SIZES.items()
        if (size := connection.execute(
            "select pg_total_relation_size(to_regclass(%s))", [relation]).fetchone())
        and size[0]
    ]  # fmt: skip
    return ", ".join(shown)


def designs(connection: Connection, asked: Sequence[Asked]) -> None:
    """Print what other designs of a keyword search take, the first 50 of each query."""
    for statement in BUILD_DESIGNS:
        connection.execute(statement)
    try:
        print(f"\n{'first 50 by words':16}      p50      p95   CPU ms")
        for name, statement in DESIGNS.items():
            figures = timed(connection, statement, [{**one, "k": 50} for one in asked])
            print(f"{name:17} " + " ".join(f"{figure:8.1f}" for figure in figures), flush=True)
    finally:
        connection.execute("drop index bench_gin; drop table bench_postings, bench_frequencies")


def plans(connection: Connection, parameters: Asked) -> None:
    """Print the plans of all statements inside a hybrid search."""
    connection.execute("load 'auto_explain'")
    for setting in ("log_min_duration = 0", "log_nested_statements = on", "log_analyze = on"):
        connection.execute(f"set auto_explain.{setting}")
    connection.execute("set client_min_messages = log")
    connection.add_notice_handler(lambda notice: print(notice.message_primary))
    connection.execute(STATEMENTS["hybrid"], parameters)


@contextmanager
def book(home: Path | None) -> Iterator[Settings]:
    """The book in that home, which is kept, or one that is thrown away."""
    with tempfile.TemporaryDirectory(
        prefix="openbook-bench-", ignore_cleanup_errors=True
    ) as folder:
        Path(folder).chmod(0o711)
        settings = Settings(home=home or Path(folder))
        try:
            yield settings
        finally:
            stop(settings)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chunks", nargs="+", type=int, default=[10_000, 100_000])
    parser.add_argument("--home", type=Path, metavar="FOLDER", help="keep the book there")
    parser.add_argument("--plans", action="store_true", help="print the plans of the last size")
    parser.add_argument("--designs", action="store_true", help="compare designs at the last size")
    given = parser.parse_args()
    parts, queries = growth.sentences()
    with book(given.home) as settings, closing(connect(settings, autocommit=True)) as connection:
        embedder = WordVectors(parts, settings.home)
        asked = questions(queries, embedder)
        for chunks in sorted(given.chunks):
            grown = growth.grow(connection, parts, chunks, embedder)
            print(
                f"\n{growth.chunks(connection):,} chunks: written in {grown.written:.0f} s,"
                f" sealed in {grown.sealed:.0f} s, HNSW built in {grown.indexed:.0f} s"
                f"\n{sizes(connection)}"
            )
            measure(connection, asked)
            as_readers(connection, asked)
            bare, ours = recall(connection, asked)
            print(f"recall@10 against exact: bare dense {bare:.3f}, dense search {ours:.3f}")
            print(f"{CLIENTS} clients: {crowd(settings, asked):.0f} hybrid queries/s")
            print(", ".join(upkeep(connection, parts, embedder)), flush=True)
        if given.designs:
            designs(connection, asked)
        if given.plans:
            plans(connection, asked[0])


if __name__ == "__main__":
    main()
