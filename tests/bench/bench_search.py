"""What makes hybrid search better than its lists: the same two lists, fused in other ways.

    python -m tests.bench.bench_search [FOLDER ...] [--home FOLDER]

Each FOLDER holds a collection in the BEIR layout; without one, those of `../shared/data/beir` that
have a published or reproduced baseline. nDCG@10 of documents, each as its best chunk, for either
list alone, for reciprocal rank fusion, fixed weights, `openbook.fused` without one of its parts,
at other depths, and as it is. `--home` keeps the database from run to run. `openbook evaluate`
measures what search returns, with intervals; this explains it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pgvector import HalfVector
from psycopg import Connection

from tasks.database import connect, stop
from tasks.embedders import Embedder, open_embedder
from tasks.evaluate.collection import judged
from tasks.evaluate.exam import Exam
from tasks.evaluate.measures import score
from tasks.settings import current
from tests.bench import beir

SETS = (
    "cranfield", "pgdocs-index", "codebase-contextual", "cosqa-dev", "2wikimultihop-dev",
    "locomo-dev", "docugami-sec10q-docs", "xquad-en", "xquad-de", "xquad-es",
)  # fmt: skip
TUNED = ("cosqa-dev", "2wikimultihop-dev", "locomo-dev")
"""The constants of `openbook.fused` were found on these alone."""

DEPTH = 100
DEEPEST = 200

LISTS = """
select q.rarity, k.passages, k.relevances, d.passages, d.relevances
from openbook.collections c
join openbook.models m on m.serving
cross join openbook.bm25_query(c.id, %(query)s) q
cross join lateral (
    select coalesce(array_agg(b.passage_id), '{}') as passages,
           coalesce(array_agg(b.relevance), '{}') as relevances
    from openbook.bm25(c.id, %(query)s, %(depth)s) b) k
cross join lateral (
    select array_agg(l.passage_id) as passages, array_agg(l.relevance) as relevances
    from unnest((openbook.dense_list(c.id, m, %(vector)s, %(depth)s, null, null, null)).list) l) d
where c.name = %(collection)s
"""

PATHS = """
select c.passage_id, d.path
from openbook.collections l
join openbook.sources s on s.collection_id = l.id
join openbook.documents d on d.source_id = s.id
join openbook.versions v on v.id = d.version_id
join openbook.chunks c on c.content_id = v.content_id
where l.name = %s
"""


@dataclass(frozen=True, slots=True)
class Lists:
    """A query's rarity and its two lists: relevances by passage, best first."""

    rarity: float
    keyword: Mapping[int, float]
    dense: Mapping[int, float]


Fusion = Callable[[Lists], Mapping[int, float]]


def by_rank(lists: Lists, k: int = 60) -> Mapping[int, float]:
    """Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009)."""
    scores: dict[int, float] = {}
    for one in (lists.keyword, lists.dense):
        for rank, passage in enumerate(list(one)[:DEPTH], 1):
            scores[passage] = scores.get(passage, 0) + 1 / (k + rank)
    return scores


def fused(
    weight: Callable[[float, float], float], depth: int = DEPTH, dense: int | None = None
) -> Callable[[Lists], Mapping[int, float]]:
    """`openbook.fused`, with `weight(rarity, contrast)` for the words beside 1 for meaning.

    `depth`: how long the lists are, `dense` if the dense one is not as long.
    """

    def fuse(lists: Lists) -> Mapping[int, float]:
        share = {p: r / (lists.rarity**2 or 1) for p, r in list(lists.keyword.items())[:depth]}
        like = dict(list(lists.dense.items())[: dense or depth])
        said, meant = list(share.values()), list(like.values())
        low = said[-1] if len(said) == depth else 0.0
        contrast = 1 - low / said[0] if said and said[0] else 1.0
        words = weight(lists.rarity, contrast)
        floor = meant[-1] if len(meant) == (dense or depth) else 0.0
        return {
            passage: words * share.get(passage, low) + like.get(passage, floor)
            for passage in {**share, **like}
        }

    return fuse


VARIANTS: Mapping[str, Fusion] = {
    "keyword": lambda lists: lists.keyword,
    "dense": lambda lists: lists.dense,
    "reciprocal ranks": by_rank,
    "words 1/4": fused(lambda *_: 0.25),
    "words 1/2": fused(lambda *_: 0.5),
    "words 1": fused(lambda *_: 1.0),
    "2 rarity²": fused(lambda rarity, _: 2 * 0.72 * rarity**2),
    "2 contrast": fused(lambda _, contrast: 2 * 0.34 * contrast),
    "depth 100": fused(lambda rarity, contrast: 2 * rarity**2 * contrast),
    "depth 50": fused(lambda rarity, contrast: 2 * rarity**2 * contrast, 50),
    "depth 200": fused(lambda rarity, contrast: 2 * rarity**2 * contrast, 200),
    "openbook.fused": fused(lambda rarity, contrast: 2 * rarity**2 * contrast, 70, 20),
}
"""A part that is left out is replaced by its mean over the sets of `TUNED`."""


def read_lists(connection: Connection, exam: Exam, embedder: Embedder) -> Iterator[Lists]:
    """Both lists of each question, `DEEPEST` long."""
    for question in exam.questions:
        vector = HalfVector(embedder.embed([question.text])[0])
        row = connection.execute(
            LISTS,
            {
                "collection": exam.collection,
                "query": question.text,
                "vector": vector,
                "depth": DEEPEST,
            },
        ).fetchone()
        assert row is not None
        rarity, said, shares, meant, likes = row
        yield Lists(
            rarity or 0.0,
            dict(zip(said, shares, strict=True)),
            dict(zip(meant, likes, strict=True)),
        )


def measure(connection: Connection, exam: Exam, embedder: Embedder) -> dict[str, float]:
    """The mean nDCG@10 of each variant."""
    places: dict[int, list[str]] = {}
    for passage, path in connection.execute(PATHS, [exam.collection]):
        places.setdefault(passage, []).append(path)
    lists = list(read_lists(connection, exam, embedder))

    def ranking(scores: Mapping[int, float]) -> list[str]:
        best = sorted(scores, key=lambda passage: (-scores[passage], passage))
        return list(dict.fromkeys(path for one in best for path in places[one]))[:DEPTH]

    return {
        name: float(
            np.mean(score(exam.questions, [ranking(fuse(one)) for one in lists])["ndcg@10"])
        )
        for name, fuse in VARIANTS.items()
    }


def show(figures: Mapping[str, Mapping[str, float]]) -> None:
    """A row a variant, a column a set, and the mean over all of them."""
    print(f"{'nDCG@10':18}" + "".join(f"{name[:12]:>13}" for name in figures) + f"{'mean':>8}")
    for variant in VARIANTS:
        row = [one[variant] for one in figures.values()]
        print(f"{variant:18}" + "".join(f"{v:13.4f}" for v in row) + f"{np.mean(row):8.4f}")


def run(folders: Sequence[Path]) -> None:
    """Bring each collection up to date, measure it, and print."""
    from flows.evaluate import fill

    settings = current()
    embedder = open_embedder(settings)
    figures = {}
    for folder in folders:
        fill.fn(str(folder), "")
        with closing(connect(settings, autocommit=True)) as connection:
            figures[folder.name] = measure(connection, judged(folder), embedder)
    show(figures)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--home", type=Path, help="an OPENBOOK_HOME; unset: thrown away")
    given = parser.parse_args()
    folders = given.folders or [beir.SHARED / name for name in SETS]
    folders = [folder for folder in folders if folder.is_dir()]
    if not folders:
        print("No test collection: ../shared/data/beir is not there, and no FOLDER was named.")
        return
    with tempfile.TemporaryDirectory(prefix="openbook-bench-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o711)
        os.environ["OPENBOOK_HOME"] = str(given.home or home)
        try:
            run(folders)
        finally:
            if given.home is None:
                stop(current())


if __name__ == "__main__":
    main()
