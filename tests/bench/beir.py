"""Test collections in the BEIR layout, and how well a ranking answers them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data" / "beir"

Judgements = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A document of a collection, or a query, which has no title."""

    id: str
    title: str
    text: str


def corpus(folder: Path) -> Iterator[Entry]:
    """The collection's documents."""
    return _entries(folder / "corpus.jsonl")


def judgements(folder: Path) -> Judgements:
    """By query, the grade of each document that was judged: 0 is not relevant, more is better."""
    grades: dict[str, dict[str, int]] = {}
    with (folder / "qrels" / "test.tsv").open(encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            query, document, grade = line.rstrip("\n").split("\t")
            grades.setdefault(query, {})[document] = int(grade)
    return grades


def queries(folder: Path) -> list[Entry]:
    """The queries that have judgements."""
    judged = judgements(folder)
    return [query for query in _entries(folder / "queries.jsonl") if query.id in judged]


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], k: int = 10) -> float:
    """Normalised discounted cumulative gain of the first `k`, with the grades as gains."""

    def gain(values: Sequence[int]) -> float:
        return sum(value / math.log2(place + 2) for place, value in enumerate(values[:k]))

    best = gain(sorted(grades.values(), reverse=True))
    return gain([grades.get(document, 0) for document in ranking]) / best if best else 0.0


def recall(ranking: Sequence[str], grades: Mapping[str, int], k: int = 10) -> float:
    """The share of the relevant documents that are among the first `k`."""
    relevant = {document for document, grade in grades.items() if grade > 0}
    return len(relevant & set(ranking[:k])) / len(relevant) if relevant else 0.0


def _entries(path: Path) -> Iterator[Entry]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield Entry(row["_id"], row.get("title") or "", row["text"].replace("\0", " "))
