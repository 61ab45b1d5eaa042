"""The offline embedders: speed, latency, memory, and what int8 costs in retrieval.

    python -m tests.bench.bench_embedders [--sets cranfield xquad-en ...] [--home FOLDER]

Speed and latency are CPU time, which a busy machine distorts less than wall time; `cold` is
the wall and the CPU time of a fresh process from its start to the first query's vector. Retrieval
is nDCG@10 of an exact cosine ranking on collections in the BEIR layout under `../shared/data/beir`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.embedders import Embedder
from tasks.embedders.hashing import HashingEmbedder
from tasks.embedders.minilm import MiniLMEmbedder

ROOT = Path(__file__).resolve().parents[2]
BEIR = ROOT.parent / "shared" / "data" / "beir"
SETS = ["cranfield", "xquad-en", "codebase-contextual", "2wikimultihop-dev"]
QUERY = "how long may a contractor stay in the building after hours"
CHUNK_TOKENS = 200
COLD = """
from pathlib import Path
from tasks.embedders.minilm import MiniLMEmbedder
MiniLMEmbedder(Path({home!r}), {precision!r}).embed([{query!r}])
"""

Vectors = NDArray[np.float32]


def open_named(name: str, home: Path) -> Embedder:
    """An embedder by the name of its row."""
    if name == "hashing":
        return HashingEmbedder()
    return MiniLMEmbedder(home, "int8" if name == "int8" else "float32")


@dataclass(frozen=True)
class Speed:
    """Chunks a core-second, CPU milliseconds a query, peak megabytes."""

    chunks: float
    query: float
    memory: float


def measure(name: str, home: Path, texts: list[str]) -> Speed:
    """Measure an embedder; to be called in a process of its own."""
    embedder = open_named(name, home)
    embedder.embed(texts[:8])
    chunks = cpu_seconds(lambda: embedder.embed(texts)) / len(texts)
    query = cpu_seconds(lambda: [embedder.embed([QUERY]) for _ in range(50)]) / 50
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Speed(1 / chunks, query * 1000, peak)


def cpu_seconds(work: Callable[[], object], times: int = 3) -> float:
    """The CPU seconds of the fastest of several runs."""
    spent = []
    for _ in range(times):
        before = time.process_time()
        work()
        spent.append(time.process_time() - before)
    return min(spent)


def cold_start(name: str, home: Path) -> str:
    """Milliseconds, wall and CPU, of a process that embeds one query; the best of five."""
    script = COLD.format(home=str(home), precision=name, query=QUERY)
    walls, cpus = [], []
    for _ in range(5):
        wall, children = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
        walls.append(time.perf_counter() - wall)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime)
    return f"{min(walls) * 1000:.0f}/{min(cpus) * 1000:.0f}"


def chunks_of_text(home: Path) -> list[str]:
    """Chunks of 200 tokens, special tokens included, of real text where there is any."""
    collection = BEIR / "cranfield" / "corpus.jsonl"
    if collection.exists():
        texts = [json.loads(line)["text"] for line in collection.open()]
    else:
        print("../shared/data/beir is not there: speed is measured on the README.")
        texts = [(ROOT / "README.md").read_text()] * 100
    tokenizer = MiniLMEmbedder(home).tokenizer
    room = CHUNK_TOKENS - tokenizer.special_tokens
    chunks = [
        text[: spans[room - 1][1]]
        for text, spans in zip(texts, tokenizer.spans(texts), strict=True)
        if len(spans) >= room
    ]
    return chunks[:200]


def ndcg_at_10(documents: Vectors, queries: Vectors, gains: Sequence[dict[int, float]]) -> float:
    """Mean nDCG@10 of the exact cosine ranking; `gains` maps documents' rows, one a query.

    Jaervelin and Kekaelaeinen 2002 (doi 10.1145/582415.582418), gain as judged, discount log2.
    """
    discount = 1 / np.log2(np.arange(2, 12))
    scores = []
    for query, relevant in zip(queries, gains, strict=True):
        found = np.argsort(-(documents @ query), kind="stable")[:10]
        best = sorted(relevant.values(), reverse=True)[:10]
        gained = sum(
            relevant.get(int(row), 0.0) * d for row, d in zip(found, discount, strict=False)
        )
        scores.append(gained / sum(g * d for g, d in zip(best, discount, strict=False)))
    return float(np.mean(scores))


def read_collection(folder: Path) -> tuple[list[str], list[str], list[dict[int, float]]]:
    """Documents' texts, queries' texts, and each query's gains by row of the documents."""
    documents = [json.loads(line) for line in (folder / "corpus.jsonl").open()]
    asked = {one["_id"]: one["text"] for one in map(json.loads, (folder / "queries.jsonl").open())}
    row = {one["_id"]: number for number, one in enumerate(documents)}
    gains: dict[str, dict[int, float]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query, document, gain = line.split("\t")
        if float(gain) > 0:
            gains.setdefault(query, {})[row[document]] = float(gain)
    texts = [f"{one.get('title', '')}\n{one['text']}".strip() for one in documents]
    return texts, [asked[query] for query in gains], list(gains.values())


def print_retrieval(home: Path, sets: Sequence[str]) -> None:
    """A row a collection: nDCG@10 of each embedder, and how near int8 comes to float32."""
    print(
        f"\n{'nDCG@10':22} {'float32':>8} {'int8':>8} {'hashing':>8}"
        "   cosine of int8 to float32: mean, least"
    )
    for name in sets:
        if not (BEIR / name).is_dir():
            print(f"{name:22} is not under ../shared/data/beir")
            continue
        documents, queries, gains = read_collection(BEIR / name)
        vectors = {}
        scores = {}
        for kind in ("float32", "int8", "hashing"):
            embedder = open_named(kind, home)
            vectors[kind] = embedder.embed(documents)
            scores[kind] = ndcg_at_10(vectors[kind], embedder.embed(queries), gains)
        cosines = (vectors["float32"] * vectors["int8"]).sum(axis=1)
        print(
            f"{name:22} {scores['float32']:8.4f} {scores['int8']:8.4f} {scores['hashing']:8.4f}"
            f"   {cosines.mean():.4f}, {cosines.min():.4f}",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--sets", nargs="*", default=SETS, help="collections under ../shared/data/beir"
    )
    parser.add_argument("--home", type=Path, help="where the graphs are kept; unset: thrown away")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = options.home or Path(temporary)
        texts = chunks_of_text(home)
        print(f"\n{'':10} {'chunks/core-s':>14} {'query CPU ms':>13} {'peak MB':>8} {'cold ms':>9}")
        for name in ("int8", "float32", "hashing"):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
                speed = fresh.submit(measure, name, home, texts).result()
            cold = "" if name == "hashing" else cold_start(name, home)
            print(
                f"{name:10} {speed.chunks:14.1f} {speed.query:13.2f} {speed.memory:8.0f} {cold:>9}",
                flush=True,
            )
        print_retrieval(home, options.sets)


if __name__ == "__main__":
    main()
