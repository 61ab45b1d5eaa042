"""Test collections in the BEIR layout: corpus.jsonl, queries.jsonl and qrels/test.tsv.

Thakur et al., NeurIPS 2021 (arXiv 2104.08663), describe the layout.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.errors import Rejected
from tasks.evaluate.exam import Exam, Question
from tasks.records import Entry


def corpus(folder: Path) -> list[Entry]:
    """The collection's documents, in their order.

    Raises Rejected, naming file and line, for a line that is no document, an id that comes twice,
    and a file without documents.
    """
    path = folder / "corpus.jsonl"
    entries = list(_entries(path))
    if not entries:
        raise Rejected(f"{path} holds no document", "Give a collection with documents.")
    return entries


def judged(folder: Path, known: frozenset[str] | None = None) -> Exam:
    """The collection's queries that have judgements, in their order.

    `known` are the ids of the corpus; without it, judged documents are not looked up. Raises
    Rejected, naming file and line, for a missing file, a malformed line, a judgement of an unknown
    query or document, and a collection in which nothing is judged.
    """
    path = folder / "qrels" / "test.tsv"
    asked = {entry.id: entry for entry in _entries(folder / "queries.jsonl")}
    grades: dict[str, dict[str, int]] = {}
    for place, query, document, grade in _judgements(path):
        if query not in asked:
            raise Rejected(
                f"{place}: there is no query {query!r}",
                f"Take the line out, or add the query to {folder / 'queries.jsonl'}.",
            )
        if known is not None and document not in known:
            raise Rejected(
                f"{place}: there is no document {document!r}",
                f"Take the line out, or add the document to {folder / 'corpus.jsonl'}.",
            )
        grades.setdefault(query, {})[document] = grade
    if not grades:
        raise Rejected(f"{path} judges nothing", "Add a line: query id, document id, grade.")
    questions = [
        Question(entry.text, grades[entry.id], entry.metadata)
        for entry in asked.values()
        if entry.id in grades
    ]
    name = folder.resolve().name
    return Exam(name, f"evaluate:{name}", tuple(questions))


def _entries(path: Path) -> Iterator[Entry]:
    seen: set[str] = set()
    for number, line in _lines(path):
        if not line.strip():
            continue
        entry = _entry(f"{path}, line {number}", line)
        if entry.id in seen:
            raise Rejected(
                f"{path}, line {number}: the id {entry.id!r} came before", "Give each its own id."
            )
        seen.add(entry.id)
        yield entry


def _entry(place: str, line: str) -> Entry:
    remedy = 'Write one object a line: {"_id": "…", "title": "…", "text": "…"}.'
    try:
        row = json.loads(line)
    except ValueError as error:
        raise Rejected(f"{place} is no JSON: {error}", remedy) from None
    if not isinstance(row, dict):
        raise Rejected(f"{place} is no JSON object", remedy)
    texts = (row.get("_id"), row.get("title") or "", row.get("text"))
    for name, value in zip(("_id", "title", "text"), texts, strict=True):
        if not isinstance(value, str):
            raise Rejected(f"{place}: {name} is {value!r} and no text", remedy)
    if not row["_id"]:
        raise Rejected(f"{place}: _id is empty", remedy)
    metadata = _clean(row.get("metadata"))
    id, title, text = (_clean(value) for value in texts)
    return Entry(id, title, text, metadata if isinstance(metadata, dict) else {})


def _clean(value: Any) -> Any:
    """Without what Postgres cannot store: the character NUL and halves of surrogate pairs."""
    if isinstance(value, str):
        return value.replace("\0", " ").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(one) for name, one in value.items()}
    return value


def _judgements(path: Path) -> Iterator[tuple[str, str, str, int]]:
    """The place, query, document and grade of each line, of which the first is a heading."""
    for number, line in _lines(path):
        place = f"{path}, line {number}"
        parts = line.rstrip("\r\n").split("\t")
        if (number == 1 and not parts[-1].strip().lstrip("-").isdecimal()) or not line.strip():
            continue
        try:
            query, document, grade = parts
            yield place, _clean(query), _clean(document), int(grade)
        except ValueError:
            raise Rejected(
                f"{place} is no judgement: {line.rstrip()!r}",
                "Write query id, document id and a whole number, with tabs between.",
            ) from None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                yield number, line
    except OSError as error:
        raise Rejected(
            f"{path} cannot be read: {error.strerror}",
            "A collection has corpus.jsonl, queries.jsonl and qrels/test.tsv.",
        ) from None
    except UnicodeDecodeError:
        raise Rejected(f"{path}, after line {number}: no UTF-8", "Store it as UTF-8.") from None
