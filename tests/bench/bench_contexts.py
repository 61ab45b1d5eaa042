"""What a context per chunk does to retrieval over code, with a stand-in for the writing model.

    python -m tests.bench.bench_contexts [--home FOLDER]

The chunks of `../shared/data/beir/codebase-contextual` are indexed as they are, cut smaller to
leave room for contexts but without any, and with contexts bought from a chat endpoint on loopback.
There is no model behind it: what it "writes" is the first words of the file and the definitions
that enclose the passage. It shows what the mechanism passes on, not what a model would write.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from psycopg import Connection

from tasks.database import connect, stop
from tasks.embedders import Embedder, Tokenizer, open_embedder
from tasks.evaluate.collection import judged
from tasks.evaluate.exam import Exam
from tasks.evaluate.measures import Values, randomised, score
from tasks.ingest.chunk import chunk
from tasks.ingest.context import body_limit, buy, placed, questions
from tasks.ingest.embed import embed, missing_texts, serving_model
from tasks.ingest.entries import mark_given, register_given
from tasks.ingest.publish import index, publish
from tasks.ingest.runs import finish_run, start_run
from tasks.ingest.store import ContentKey, Reading, known_contents, pending_documents, store
from tasks.ingest.writer import ContextWriter
from tasks.records import Document, Element, Entry
from tasks.retrieve.prepare import remember_queries
from tasks.retrieve.search import search
from tasks.settings import Settings, current
from tests.bench import beir
from tests.chat import chat_endpoint

SET = beir.SHARED / "codebase-contextual"
MODES = ("keyword", "dense", "hybrid")
HITS = 200
DEFINITION = re.compile(
    r"(\s*)((?:\w+ )*(?:fn|def|class|struct|impl|trait|enum|function|interface|namespace|mod)\b"
    r"[^{;:(]*)"
)


def stand_in(shown: str, passage: str) -> str:
    """The first words of the file, and the definitions above the passage that enclose it."""
    first = next((line for line in passage.splitlines() if line.strip()), "")
    before = shown.partition(first)[0]
    depth = len(before) - len(before.rstrip(" \t"))
    enclosing: list[str] = []
    for line in reversed(before.splitlines()):
        match = DEFINITION.match(line)
        if match and len(match[1]) < max(depth, 1):
            enclosing.insert(0, match[2].strip())
            depth = len(match[1])
            if not depth:
                break
    opening = " ".join(re.findall(r"\w+", shown)[:20])
    return f"{opening}. {' > '.join(enclosing)}"


def cut(
    entries: Sequence[Entry], keys: Mapping[str, ContentKey], tokenizer: Tokenizer, limit: int
) -> list[Reading]:
    """The entries, which stand for files, in chunks."""
    readings = []
    for entry in entries:
        paragraphs = [part for part in re.split(r"\n\s*\n", entry.text) if part.strip()]
        elements = tuple(Element(part, "NarrativeText") for part in paragraphs)
        document = Document("txt", entry.title or None, elements, entry.metadata)
        readings.append(Reading(keys[entry.id], document, chunk(document, tokenizer, limit)))
    return readings


def with_contexts(
    connection: Connection,
    run_id: int,
    readings: Sequence[Reading],
    *,
    owner: int,
    writer: ContextWriter,
    tokenizer: Tokenizer,
) -> Iterator[Reading]:
    """The readings with what the writer says of their chunks as parts of their whole files."""
    files = {row["_id"]: row["text"] for row in map(json.loads, (SET / "documents.jsonl").open())}
    for name, group in groupby(readings, lambda one: str(one.document.metadata["doc_uuid"])):
        own = list(group)
        at, chunks = 0, []
        for reading in own:  # they follow each other in the file
            first = reading.chunks[0].body.split("\n")[0]
            at = max(at, files[name].find(first, at))
            chunks += [replace(one, start=one.start + at) for one in reading.chunks]
        asked = [((owner, one.sha256), one) for one in questions(files[name], chunks, tokenizer)]
        found = buy(connection, run_id, writer, dict(asked))
        for reading in own:
            mine, asked = asked[: len(reading.chunks)], asked[len(reading.chunks) :]
            yield placed(reading, mine, found, tokenizer, current().chunk_tokens)


def fill(
    connection: Connection, name: str, embedder: Embedder, limit: int, writer: ContextWriter | None
) -> None:
    """Make the set a collection of that name."""
    entries = beir.corpus(SET)
    source = register_given(connection, name, entries, "english")
    connection.commit()
    model_id = serving_model(connection, embedder)
    run = start_run(connection, source.id, model_id)
    ids = mark_given(connection, source, entries, name)
    pending = {one.path: one for one in pending_documents(connection, ids)}
    keys = {path: ContentKey(one.sha256, "txt", one.recipe) for path, one in pending.items()}
    connection.commit()
    readings = cut([one for one in entries if one.id in keys], keys, embedder.tokenizer, limit)
    if writer and readings:
        readings = list(
            with_contexts(
                connection,
                run.id,
                readings,
                owner=ids[0],
                writer=writer,
                tokenizer=embedder.tokenizer,
            )
        )
    store(connection, source.id, readings)
    known = known_contents(connection, source.id, list(keys.values()))
    connection.commit()
    contents = [(pending[path].document_id, known[key]) for path, key in keys.items()]
    missing = missing_texts(connection, model_id, [content for _, content in contents])
    purchase = embed(connection, embedder, model_id, missing)
    publish(connection, run.id, contents, [], purchase)
    connection.commit()
    connection.autocommit = True
    index(connection, model_id)
    finish_run(connection, run.id)


def ask(
    connection: Connection, settings: Settings, exam: Exam, name: str, mode: str
) -> dict[str, Values]:
    """By measure, a value for each question."""
    rankings = []
    for question in exam.questions:
        hits = search(
            question.text,
            k=HITS,
            mode=mode,
            collection=name,
            log=False,
            settings=settings,
            connection=connection,
        )
        rankings.append(list(dict.fromkeys(hit.path for hit in hits)))
    return score(exam.questions, rankings)


def run() -> None:
    """Fill the three collections, ask, and print."""
    settings = current()
    embedder, exam = open_embedder(settings), judged(SET)
    limit = settings.chunk_tokens
    with chat_endpoint() as model:
        model.say = stand_in
        writer = ContextWriter(replace(settings, context_model="stand-in", context_url=model.url))
        variants = {
            "as they are": (limit, None),
            "cut smaller": (body_limit(limit), None),
            "with contexts": (body_limit(limit), writer),
        }
        for name, (most, writes) in variants.items():
            with closing(connect(settings)) as connection:
                fill(connection, name, embedder, most, writes)
        print(f"{len(model.requests)} contexts bought")
        for prompt in model.prompts[-1:]:
            print(f"the last one: {stand_in(*prompt)}")
    print(f"{'':14}" + "".join(f"{mode + ' nDCG@10, R@10':>26}{'p':>7}" for mode in MODES))
    with closing(connect(settings, autocommit=True)) as connection:
        remember_queries(connection, embedder, [one.text for one in exam.questions])
        plain: dict[str, dict[str, Values]] = {}
        for name in variants:
            cells = []
            for mode in MODES:
                values = ask(connection, settings, exam, name, mode)
                base = plain.setdefault(mode, values)
                moved = values["ndcg@10"] - base["ndcg@10"]
                p = "" if base is values else f"{randomised(moved):.3f}"
                figures = f"{values['ndcg@10'].mean():.3f} {values['recall@10'].mean():.3f}"
                cells.append(f"{figures:>26}{p:>7}")
            print(f"{name:14}" + "".join(cells), flush=True)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, help="an OPENBOOK_HOME; unset: thrown away")
    given = parser.parse_args()
    if not SET.is_dir():
        print("No test collection: ../shared/data/beir/codebase-contextual is not there.")
        return
    with tempfile.TemporaryDirectory(prefix="openbook-bench-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o711)
        os.environ["OPENBOOK_HOME"] = str(given.home or home)
        try:
            run()
        finally:
            if given.home is None:
                stop(current())


if __name__ == "__main__":
    main()
